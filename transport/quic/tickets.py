"""The session tickets that a server gave out, each good for one more connection.

What holds always: a ticket is given back once; then, or LIFETIME seconds after it was made, it is
not known any more. Over MAX_TICKETS the oldest is forgotten. A client whose ticket is not known
here, because of any of these or because another worker made it, is not told so: its handshake is a
full one, and its client sends again what it had sent early.

Workers that want each other's tickets implement `aio.handshake.Tickets` on something they share; it
is called in the middle of a handshake, so it must answer at once.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aioquic.tls import SessionTicket

LIFETIME = 86_400.0
"""Seconds. aioquic tells clients a day; it is the longest that early data can be delayed."""
MAX_TICKETS = 16_384
"""About 1 KiB each."""


class MemoryTickets:
    """The tickets of one worker."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, bound: int = MAX_TICKETS
    ) -> None:
        self._clock = clock
        self._bound = bound
        self._tickets: dict[bytes, tuple[float, SessionTicket]] = {}
        """In the order in which they were made."""

    def __len__(self) -> int:
        return len(self._tickets)

    def put(self, ticket: SessionTicket) -> None:
        """Keep one that is being given out."""
        while len(self._tickets) >= self._bound:
            del self._tickets[next(iter(self._tickets))]
        self._tickets[ticket.ticket] = (self._clock(), ticket)

    def take(self, identity: bytes) -> SessionTicket | None:
        """The ticket that a client shows, for this one time."""
        made, ticket = self._tickets.pop(identity, (0.0, None))
        return ticket if ticket is not None and self._clock() - made <= LIFETIME else None
