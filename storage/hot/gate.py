"""Whether Redis is asked at all: shut by whoever got no answer, opened by a trial apart.

What holds always: while it is shut nobody's append or read is spent on trying; a fault of Redis
never comes out of here, it is counted and shuts the gate.
May import: redis, tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from storage.hot.tasks import Tasks
from storage.redis import RedisError

R = TypeVar("R")

log = structlog.get_logger(__name__)


class Gate:
    """Open or shut. `shutting` is called when it shuts, to see to it that it opens again."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self.shut = False
        self.errors = 0
        """Calls that brought no answer, or not in time."""
        self.shutting: Callable[[], None] = lambda: None

    async def within(self, seconds: float, call: Coroutine[Any, Any, R]) -> R | None:
        """What the call returns; None, and the gate is shut, when it fails or takes longer."""
        try:
            return await _finished(seconds, self.tasks.start(call))
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
        except Exception as error:
            log.exception("the hot index does not understand its Redis")
            self._failed(error)
        return None

    def open(self) -> None:
        """Redis answered a trial."""
        if self.shut:
            self.shut = False
            log.info("the hot index is back")

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        if not self.shut:
            self.shut = True
            log.warning("going on without the hot index", reason=str(error) or type(error).__name__)
        self.shutting()


async def _finished(seconds: float, call: asyncio.Task[R]) -> R:
    """Its result, within the time. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        await asyncio.wait({call}, timeout=seconds)
        if not call.done() and loop.time() - began > 1.5 * seconds:
            # The timer itself came late: this loop stood still, which says nothing of Redis.
            await asyncio.wait({call}, timeout=seconds)
        if not call.done():
            raise TimeoutError(f"no answer within {seconds * 1000:g} ms")
        return call.result()
    finally:
        if not call.done():
            call.cancel()  # Its connection is closed with it.
