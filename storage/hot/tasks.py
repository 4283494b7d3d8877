"""The tasks of one log: what must run on when its asker has gone, and what runs by itself.

A TaskGroup would end with the first task that fails; here a failure is its asker's, if anybody's.
What holds always: no task outlives `finish`, and none is forgotten by the collector.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


class Tasks:
    """A set of running tasks."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Run it. Who awaits the task hears what it raises; with nobody there it is let go."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Wait until everything has ended by itself."""
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()
