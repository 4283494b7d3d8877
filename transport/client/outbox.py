"""What a client has sent and not had answered, so that it can be sent again. Sans-IO.

What holds always: a message leaves the outbox only by `accepted`, by a final `refused`, or when the
client stops; the order of what is left is the order in which it was put in; behind a message that
rests nothing of its conversation goes, and when its rest is over they all go again, in order.
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

    __slots__ = ("answer", "frame", "refusals")

    def __init__(self, frame: Send, answer: asyncio.Future[Accepted]) -> None:
        self.frame = frame
        self.answer = answer
        self.refusals = 0


class Outbox:
    """Messages without an answer, by client_id."""

    def __init__(self, jitter: Callable[[float, float], float]) -> None:
        self._items: dict[UUID, Item] = {}
        self._resting: dict[UUID, UUID] = {}
        """Those that wait for their `retry_after` to pass, and their conversations."""
        self._held: set[UUID] = set()
        """Those that wait for one that rests."""
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
        """What a new session must be sent, in order; the rest follows when its time has come."""
        resting = set(self._resting.values())
        due = []
        for client_id, item in self._items.items():
            if item.frame.conversation in resting:
                self._held.add(client_id)
            else:
                due.append(item.frame)
        return due

    def wake(self, client_id: UUID) -> list[Send]:
        """The rest of a message is over: what to send again, in order. Nothing, when it went with
        an earlier one, or has to wait for one."""
        conversation = self._resting.pop(client_id, None)
        if conversation is None:
            return []
        self._held.add(client_id)
        mates = [i.frame for i in self._items.values() if i.frame.conversation == conversation]
        for frame in mates:
            if frame.client_id == client_id:
                break
            if frame.client_id in self._resting:
                return []
        # What is on its way is not sent twice: one answer could be yes and the other no.
        again = [f for f in mates if f.client_id in self._held or f.client_id in self._resting]
        self._held.discard(client_id)
        for frame in again:
            self._resting.pop(frame.client_id, None)
            self._held.discard(frame.client_id)
        return again

    def accepted(self, frame: Accepted) -> None:
        """The server has it."""
        self._held.discard(frame.client_id)
        if (item := self._items.pop(frame.client_id, None)) is not None and not item.answer.done():
            item.answer.set_result(frame)

    def refused(self, frame: Refused) -> float | None:
        """The server has not: seconds to wait before trying again, None when that is useless."""
        assert frame.client_id is not None
        item = self._items.get(frame.client_id)
        if item is None or frame.client_id in self._resting:
            return None
        if frame.retry_after is None:
            self.fail(frame.client_id, Refusal(frame.code, frame.message, None))
            return None
        wait = min(LONGEST_RETRY, frame.retry_after / 1000 * 2**item.refusals)
        item.refusals += 1
        self._resting[frame.client_id] = item.frame.conversation
        return self._jitter(wait, wait * 1.25)

    def fail(self, client_id: UUID, error: Exception) -> None:
        """Take one out: it will never be accepted."""
        self._held.discard(client_id)
        if (item := self._items.pop(client_id, None)) is not None and not item.answer.done():
            item.answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """Take all out."""
        for client_id in list(self._items):
            self.fail(client_id, error)
