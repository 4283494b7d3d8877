"""A few threads that read for a store on this machine, and a bound on what waits for them.

What holds always: work runs off the event loop; at the bound `run` raises StoreBusy at once; after
`close` it raises StoreUnavailable, and what had been handed in before has been finished.

May import: base. Knows no particular store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from storage.base import StoreBusy, StoreUnavailable

T = TypeVar("T")

READS_WAITING = 1_024
"""Reads that may be under way or wait for a reader. Over it: StoreBusy at once."""
READ_RETRY_AFTER = 0.1
"""Seconds told to a read that found the pool full."""


class Readers:
    """The threads. One event loop uses them."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._waiting = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in one of the threads."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= READS_WAITING:
            raise StoreBusy(READ_RETRY_AFTER)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Finish the reads that wait, then end the threads. May be called more than once."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
