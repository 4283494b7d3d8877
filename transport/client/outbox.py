"""What a client has sent and not had answered, so that it can be sent again. Sans-IO.

What holds always: a message leaves the outbox only by `accepted`, by a final `refused`, or when the
client stops; the order of what is left is the order in which it was put in.
Bound: MAX_OUTBOX messages; over it `put` raises OutboxFull.
May import: client errors, wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from transport.client.errors import OutboxFull, Refusal
from transport.wire.frames import Accepted, Refused, Send

MAX_OUTBOX = 1000
LONGEST_RETRY = 30.0
"""Seconds between two attempts at most, however often a message was refused."""


class Item:
    """One message, the answer to come, and how often the server put it off."""

    __slots__ = ("answer", "frame", "refusals", "resting")

    def __init__(self, frame: Send, answer: asyncio.Future[Accepted]) -> None:
        self.frame = frame
        self.answer = answer
        self.refusals = 0
        self.resting = False
        """Whether it waits for its `retry_after` to pass."""


class Outbox:
    """Messages without an answer, by client_id."""

    def __init__(self, jitter: Callable[[float, float], float]) -> None:
        self._items: dict[UUID, Item] = {}
        self._jitter = jitter

    def __len__(self) -> int:
        return len(self._items)

    def put(self, frame: Send, answer: asyncio.Future[Accepted]) -> asyncio.Future[Accepted]:
        """Keep a message. The same client_id again is the same message: the first's answer."""
        if (known := self._items.get(frame.client_id)) is not None:
            return known.answer
        if len(self._items) >= MAX_OUTBOX:
            raise OutboxFull(f"{MAX_OUTBOX} messages wait for an answer; wait for some of them")
        self._items[frame.client_id] = Item(frame, answer)
        return answer

    def due(self) -> list[Send]:
        """What a new session must be sent, in order."""
        return [item.frame for item in self._items.values() if not item.resting]

    def wake(self, client_id: UUID) -> Send | None:
        """The rest of a message is over: the frame to send again, if it is still unanswered."""
        if (item := self._items.get(client_id)) is None:
            return None
        item.resting = False
        return item.frame

    def accepted(self, frame: Accepted) -> None:
        """The server has it."""
        if (item := self._items.pop(frame.client_id, None)) is not None and not item.answer.done():
            item.answer.set_result(frame)

    def refused(self, frame: Refused) -> float | None:
        """The server has not: seconds to wait before trying again, None when that is useless."""
        assert frame.client_id is not None
        if (item := self._items.get(frame.client_id)) is None or item.resting:
            return None
        if frame.retry_after is None:
            self.fail(frame.client_id, Refusal(frame.code, frame.message, None))
            return None
        wait = min(LONGEST_RETRY, frame.retry_after / 1000 * 2**item.refusals)
        item.refusals += 1
        item.resting = True
        return self._jitter(wait, wait * 1.25)

    def fail(self, client_id: UUID, error: Exception) -> None:
        """Take one out: it will never be accepted."""
        if (item := self._items.pop(client_id, None)) is not None and not item.answer.done():
            item.answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """Take all out."""
        for client_id in list(self._items):
            self.fail(client_id, error)
