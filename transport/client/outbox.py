"""What a client has to say and has not had answered: what goes out when, so that order is kept.
Sans-IO.

Of each session `take` says what goes out next: in the order of `put`, at most WINDOW messages
unanswered. After a refusal for now a conversation rests: nothing of it goes, what is said meanwhile
included; when its rest is over, `take` goes on with the refused. A new session (`restart`) is told
everything that is unanswered, and ends every rest, because it may lead to a server that has room.

What holds always: a message leaves the outbox only by `accepted`, by a final `refused`, or when the
client stops; what goes out on a session begins with the first unanswered one and leaves none out.
Bounds: WINDOW, so that a backlog does not run into the server's limits on a session, which would
cost refusals; MAX_OUTBOX messages in all, over which `put` raises OutboxFull.
May import: client errors, wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from transport.client.errors import OutboxFull, Refusal
from transport.wire.frames import Accepted, Deliver, Refused, Send

MAX_OUTBOX = 1000
WINDOW = 16
"""Messages that are on their way on one session."""
LONGEST_RETRY = 5.0
"""Seconds between two attempts at most, however often a conversation was refused, unless the server
asks for more."""


class Item:
    """One message, the answer to come, and whether it is on its way on this session."""

    __slots__ = ("answer", "frame", "out")

    def __init__(self, frame: Send, answer: asyncio.Future[Accepted]) -> None:
        self.frame = frame
        self.answer = answer
        self.out = False


class Outbox:
    """Messages without an answer, by client_id. `jitter` gives a number between two others."""

    def __init__(self, jitter: Callable[[float, float], float], window: int = WINDOW) -> None:
        self._items: dict[UUID, Item] = {}
        self._out = 0
        self._parked: set[UUID] = set()
        """Those on their way that take no room in the window."""
        self._resting: set[UUID] = set()
        """Conversations of which nothing goes now."""
        self._refusals: dict[UUID, int] = {}
        """How often in a row conversations were sent to rest."""
        self._jitter = jitter
        self._window = window

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

    def restart(self) -> None:
        """There is another session, on which nothing is on its way."""
        self._resting.clear()
        self._parked.clear()
        self._out = 0
        for item in self._items.values():
            item.out = False

    def take(self) -> list[Send]:
        """What goes out now, in order."""
        taken: list[Send] = []
        if self._out - len(self._parked) >= self._window:
            return taken
        for item in self._items.values():
            if item.out or item.frame.conversation in self._resting:
                continue
            item.out = True
            self._out += 1
            taken.append(item.frame)
            if self._out - len(self._parked) >= self._window:
                break
        return taken

    def wake(self, conversation: UUID) -> None:
        """The rest of a conversation is over."""
        self._resting.discard(conversation)

    def accepted(self, frame: Accepted) -> None:
        """The server has it."""
        self._refusals.pop(frame.conversation, None)
        item = self._remove(frame.client_id)
        if item is not None and not item.answer.done():
            item.answer.set_result(frame)

    def queued(self, client_id: UUID) -> None:
        """Its region has it on disk and hands it on: nobody waits for its answer on this session. A
        new session is told it like the others."""
        if (item := self._items.get(client_id)) is not None and item.out:
            self._parked.add(client_id)

    def delivered(self, entry: Deliver) -> None:
        """The log has brought an entry: the answer to one of ours that was queued, perhaps."""
        if entry.client_id in self._items:
            place = (entry.client_id, entry.conversation, entry.epoch, entry.seq, entry.at)
            self.accepted(Accepted(*place))

    def refused(self, frame: Refused) -> tuple[UUID, float] | None:
        """The server has it not. When its conversation rests from now on: which that is, and the
        seconds after which to `wake` it."""
        assert frame.client_id is not None
        item = self._items.get(frame.client_id)
        if item is None:
            return None
        if frame.retry_after is None:
            self.fail(frame.client_id, Refusal(frame.code, frame.message, None))
            return None
        self._recall(item)
        conversation = item.frame.conversation
        if conversation in self._resting:
            return None  # One that went out behind a refused one: it waits along with that.
        self._resting.add(conversation)
        refusals = self._refusals[conversation] = self._refusals.get(conversation, 0) + 1
        asked = frame.retry_after / 1000
        wait = max(asked, min(LONGEST_RETRY, asked * 2 ** (refusals - 1)))
        return conversation, self._jitter(wait, wait * 1.25)

    def fail(self, client_id: UUID, error: Exception) -> None:
        """Take one out: it will never be accepted."""
        item = self._remove(client_id)
        if item is not None and not item.answer.done():
            item.answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """Take all out."""
        for client_id in list(self._items):
            self.fail(client_id, error)

    def _remove(self, client_id: UUID) -> Item | None:
        item = self._items.pop(client_id, None)
        if item is not None:
            self._recall(item)
        return item

    def _recall(self, item: Item) -> None:
        """It is not on its way any more."""
        self._parked.discard(item.frame.client_id)
        self._out -= item.out
        item.out = False
