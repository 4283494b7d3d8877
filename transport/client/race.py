"""Attempts against each other, the better ones first: transports, or the addresses of a host.

What holds always: at most one result comes out; every other attempt is cancelled, or its result is
dropped if it succeeded at the same moment; when all fail, the last error is raised.
May import: client errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from transport.client.errors import DialError

T = TypeVar("T")


async def race(
    attempts: Sequence[Callable[[], Coroutine[Any, Any, T]]],
    head_start: float | None,
    drop: Callable[[T], None],
) -> T:
    """The first result. The next attempt starts when the ones before it failed with DialError, or
    after `head_start` seconds (None: only when they failed)."""
    waiting = list(attempts)
    running: set[asyncio.Task[T]] = set()
    error = DialError("there is nothing to try: name at least one transport")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.pop(0)()))
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
                drop(loser)
            if won:
                return won[0]
    finally:
        await _call_off(running, drop)
    raise error


async def _call_off(running: set[asyncio.Task[T]], drop: Callable[[T], None]) -> None:
    for task in running:
        task.cancel()
    for late in await asyncio.gather(*running, return_exceptions=True):
        if not isinstance(late, BaseException):
            drop(late)
