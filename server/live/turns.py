"""Whose turn it is in a conversation after a refusal: the order of a session's sends survives it.

Sends are pipelined. When one is refused for now, those behind it are on their way already; were
they accepted, they would stand before it for ever. So until the refused one comes again, the later
ones of its conversation are refused the same way.

Sends are numbered as they arrive, because some are refused at once while earlier ones still wait
for the store: only what arrived after a refused send gives way to it.

What holds always: what was refused comes back in its old order, however the refusals of it and of
those behind it fell; at most MAX_CONVERSATIONS are remembered (over it the oldest is forgotten)
with MAX_REFUSED sends each (those over it share the refusals of the others, no more); none is
waited for longer than PATIENCE seconds: a client may have dropped what was refused.
Times are seconds on any monotonic clock, given by the caller.
May import: domain.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from server.domain.refusal import Refusal

MAX_CONVERSATIONS = 64
"""Conversations of one session in which a refused send is waited for."""
MAX_REFUSED = 64
"""Refused sends that are remembered of one conversation."""
PATIENCE = 30.0
"""Seconds a refused send is waited for."""


class _Postponed(NamedTuple):
    number: int
    client_id: UUID
    refusal: Refusal
    until: float


class _Queue:
    """The refused sends of one conversation, the earliest first."""

    __slots__ = ("refused", "trying")

    def __init__(self) -> None:
        self.refused: dict[UUID, _Postponed] = {}
        self.trying: _Postponed | None = None
        """The last one that came again. Refused once more, it has its old place."""

    def head(self, now: float) -> _Postponed | None:
        """Whose turn it is; those who stayed away for too long have lost theirs."""
        while self.refused:
            first = next(iter(self.refused.values()))
            if first.until > now:
                return first
            del self.refused[first.client_id]
        return None

    def put(self, postponed: _Postponed) -> None:
        """Remember a refused send, in its place."""
        known = self.refused.get(postponed.client_id)
        if known is None and len(self.refused) >= MAX_REFUSED:
            return
        if known is None and self.trying and self.trying.client_id == postponed.client_id:
            known = self.trying
        if known is not None:
            postponed = postponed._replace(number=known.number)
        self.refused[postponed.client_id] = postponed
        self.refused = dict(sorted(self.refused.items(), key=lambda item: item[1].number))


class Turns:
    """The refused sends that one session has to bring again first."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[UUID, _Queue] = {}

    def check(self, number: int, conversation: UUID, client_id: UUID, now: float) -> Refusal | None:
        """The refusal that the send which arrived as `number` shares; None when it may go on."""
        queue = self._queues.get(conversation)
        head = None if queue is None else queue.head(now)
        if queue is None or head is None:
            self._queues.pop(conversation, None)
            return None
        if head.client_id == client_id:
            queue.trying = queue.refused.pop(client_id)
            return None
        behind = client_id in queue.refused or number > head.number
        return head.refusal if behind else None

    def refused(
        self, number: int, conversation: UUID, client_id: UUID, refusal: Refusal, now: float
    ) -> None:
        """A send was refused. A final refusal holds nobody up."""
        queue = self._queues.get(conversation)
        if refusal.retry_after is None:
            if queue is not None:
                queue.refused.pop(client_id, None)
            return
        if queue is None:
            if len(self._queues) >= MAX_CONVERSATIONS:
                del self._queues[next(iter(self._queues))]
            queue = self._queues[conversation] = _Queue()
        queue.put(_Postponed(number, client_id, refusal, now + PATIENCE))
