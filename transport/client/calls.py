"""Questions without an answer yet, asked again on every new session.

Bound: MAX_CALLS; over it OutboxFull.
May import: client errors, wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from msgspec import Raw

from transport.client.errors import OutboxFull, Refusal
from transport.wire.frames import Call, Refused, Result

MAX_CALLS = 100


class Calls:
    """Unanswered calls, by id. `push` sends a frame if there is a session to send it on."""

    def __init__(self, push: Callable[[Call], object]) -> None:
        self._push = push
        self._ids = count(1)
        self._waiting: dict[int, tuple[Call, asyncio.Future[Raw]]] = {}

    async def ask(self, method: str, params: Raw) -> Raw:
        """The value of the result. Raises Refusal, or what `fail_all` was given."""
        if len(self._waiting) >= MAX_CALLS:
            raise OutboxFull(f"{MAX_CALLS} calls wait for an answer; wait for some of them")
        frame = Call(next(self._ids), method, params)
        answer: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._waiting[frame.id] = frame, answer
        try:
            self._push(frame)
            return await answer
        finally:
            del self._waiting[frame.id]

    def due(self) -> list[Call]:
        """What a new session must be asked."""
        return [frame for frame, _ in self._waiting.values()]

    def result(self, frame: Result) -> None:
        """An answer came."""
        if (answer := self._open(frame.id)) is not None:
            answer.set_result(frame.value)

    def refused(self, id: int, frame: Refused) -> None:
        """The server refused to answer."""
        if (answer := self._open(id)) is not None:
            answer.set_exception(Refusal(frame.code, frame.message, frame.retry_after))

    def fail_all(self, error: Exception) -> None:
        """There will be no answers."""
        for id in self._waiting:
            if (answer := self._open(id)) is not None:
                answer.set_exception(error)

    def _open(self, id: int) -> asyncio.Future[Raw] | None:
        waiting = self._waiting.get(id)
        return None if waiting is None or waiting[1].done() else waiting[1]
