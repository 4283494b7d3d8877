"""The transports of a list against each other, the better ones with a head start.

What holds always: at most one session comes out; every other attempt is cancelled, or aborted if it
succeeded at the same moment; when all fail, the last error is raised.
May import: client, driver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from transport.client.errors import DialError
from transport.driver import Driver

Attempt = Callable[[], Awaitable[Driver]]


async def race(attempts: Sequence[Attempt], head_start: float | None) -> Driver:
    """The first session that connects. The next attempt starts when the ones before it failed, or
    after `head_start` seconds (None: only when they failed)."""
    waiting = list(attempts)
    running: set[asyncio.Task[Driver]] = set()
    error = DialError("there is no transport to try: name at least one")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.pop(0)()))
            done, running = await asyncio.wait(
                running,
                timeout=head_start if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            won = []
            for task in done:
                try:
                    won.append(task.result())
                except DialError as failed:
                    error = failed
            for loser in won[1:]:
                loser.abort()
            if won:
                return won[0]
    finally:
        await _call_off(running)
    raise error


async def _call_off(running: set[asyncio.Task[Driver]]) -> None:
    for task in running:
        task.cancel()
    for late in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(late, Driver):
            late.abort()
