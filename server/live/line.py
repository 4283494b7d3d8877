"""The work of one session that must not overtake itself: one piece after another.

A session's reader never waits for the store; it puts work here. A task exists only while there is
work, so that an idle session costs none.

What holds always: pieces run in the order in which they were put, one at a time; at most `bound`
wait, over it `put` says False and nothing is taken; after `stop` the piece that runs is finished
and what waited is dropped.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[None]]


class Line:
    """A queue with at most one worker, in the session's task group."""

    __slots__ = ("_bound", "_running", "_stopped", "_tasks", "_waiting")

    def __init__(self, tasks: asyncio.TaskGroup, bound: int) -> None:
        self._tasks = tasks
        self._bound = bound
        self._waiting: list[Work] = []
        self._running = False
        self._stopped = False

    def put(self, work: Work) -> bool:
        """Queue a piece of work; False when too much waits already."""
        if self._stopped or len(self._waiting) >= self._bound:
            return False
        self._waiting.append(work)
        if not self._running:
            self._running = True
            self._tasks.create_task(self._work())
        return True

    def stop(self) -> None:
        """Take no more and forget what waits."""
        self._stopped = True
        self._waiting.clear()

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._waiting.pop(0)()
        finally:
            self._running = False
