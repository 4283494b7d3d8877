"""Whose turn it is in a conversation after a refusal: the order of a session's sends survives it.

Sends are pipelined. When one is refused for now, those behind it are on their way already; were
they accepted, they would stand before it for ever. So until the refused one comes again, the later
ones of its conversation are refused the same way.

Sends are numbered as they arrive, because some are refused at once while earlier ones still wait
for the store: only what arrived after a refused send gives way to it.

What holds always: at most MAX_CONVERSATIONS are waited for (over it the oldest is forgotten), none
longer than PATIENCE seconds: a client may have dropped what was refused.
Times are seconds on any monotonic clock, given by the caller.
May import: domain.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from server.domain.refusal import Refusal

MAX_CONVERSATIONS = 64
"""Conversations of one session in which a refused send is waited for."""
PATIENCE = 30.0
"""Seconds a refused send is waited for."""


class _Postponed(NamedTuple):
    number: int
    client_id: UUID
    refusal: Refusal
    until: float


class Turns:
    """The refused sends that one session has to bring again first."""

    __slots__ = ("_postponed",)

    def __init__(self) -> None:
        self._postponed: dict[UUID, _Postponed] = {}

    def check(self, number: int, conversation: UUID, client_id: UUID, now: float) -> Refusal | None:
        """The refusal that the send which arrived as `number` shares; None when it may go on."""
        postponed = self._postponed.get(conversation)
        if postponed is None or number < postponed.number:
            return None
        if postponed.client_id == client_id or postponed.until <= now:
            del self._postponed[conversation]
            return None
        return postponed.refusal

    def refused(
        self, number: int, conversation: UUID, client_id: UUID, refusal: Refusal, now: float
    ) -> None:
        """A send was refused. A final refusal holds nobody up; of several the earliest counts."""
        before = self._postponed.get(conversation)
        if refusal.retry_after is None or (before and before.number <= number):
            return
        if before is None and len(self._postponed) >= MAX_CONVERSATIONS:
            del self._postponed[next(iter(self._postponed))]
        self._postponed[conversation] = _Postponed(number, client_id, refusal, now + PATIENCE)
