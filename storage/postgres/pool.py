"""A bounded pool of connections, for everything but the appends.

What is asked may be asked again: all reads, and the writes of the seams, which replace whole
records or tell a repetition apart. So a call whose connection broke, or which finds no server, is
made again until PATIENCE is over; a restarted PostgreSQL costs its callers time and nothing else.
Then StoreUnavailable is raised, and nobody knows whether a write was stored.

What holds always: at most SIZE connections per process; at most WAITING calls are under way or wait
for one, and over that StoreBusy is raised at once; `close` lets those finish.

May import: base, url, connect, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from storage.base import StoreBusy, StoreUnavailable
from storage.postgres.connect import CONNECT, DISCONNECT, connect
from storage.postgres.errors import COLLISIONS, is_passing, translate
from storage.url import PostgresPlace

T = TypeVar("T")

SIZE = 4
"""Connections of a process, beside the one that appends."""
WAITING = 1_024
"""Calls under way, and those that wait for a connection."""
RETRY_AFTER = 0.1
"""Seconds told to a call that found the pool full."""
PATIENCE = 5.0
"""Seconds for which a call waits for a PostgreSQL that went away."""
PAUSE = 0.1
"""Seconds between two attempts."""
UNUSED = 300.0
"""Seconds after which a connection that nobody needs is closed."""


class Pool:
    """Connections are made when first needed, on the loop that needs them."""

    def __init__(self, place: PostgresPlace) -> None:
        self._place = place
        self._pool: asyncpg.Pool | None = None
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Run `work`, which may be repeated, with a connection."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= WAITING:
            raise StoreBusy(RETRY_AFTER)
        self._waiting += 1
        self._idle.clear()
        try:
            return await self._patiently(work)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._idle.set()

    async def close(self) -> None:
        """Finish what waits, then disconnect. May be called more than once."""
        self._closed = True
        await self._idle.wait()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(DISCONNECT):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def _patiently(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE
        while True:
            try:
                pool = await self._opened()
                async with pool.acquire(timeout=PATIENCE + CONNECT) as connection:
                    return await _perform(work, connection)
            except Exception as error:
                again = is_passing(error) or isinstance(error, COLLISIONS)
                if not again or clock() >= deadline:
                    raise translate(error, self._place) from error
            await asyncio.sleep(PAUSE)

    async def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                min_size=0,
                max_size=SIZE,
                max_inactive_connection_lifetime=UNUSED,
                connect=self._connect,
                reset=_keep,
            )
        return await self._pool

    async def _connect(self, *_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(self._place)


async def _perform(
    work: Callable[[asyncpg.Connection], Awaitable[T]], connection: asyncpg.Connection
) -> T:
    try:
        return await work(connection)
    except Exception as error:
        if is_passing(error):
            connection.terminate()  # Whatever state it is in, nobody else shall meet it.
        raise


async def _keep(_: asyncpg.Connection) -> None:
    """No session of ours has a state that the next user could mind: no round trip for a reset."""
