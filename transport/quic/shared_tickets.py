"""The session tickets of all workers of a port, so that any of them takes any client's early data.

Each keeps what it made and what it heard of; what it makes or takes it tells the others, through
whatever carries `tell`.

What holds always: a worker gives a ticket back once, and none that it has heard was taken. Between
two workers the news takes a moment: within it a copy of a client's first packets, sent to both, is
believed twice, which is why only what may come twice goes early (docs/protocol.md). A ticket that
was made before a worker began is not known to it, and its client shakes hands in full.
Bound: that of MemoryTickets.
May import: tickets.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable

import msgspec
from aioquic.tls import CipherSuite, SessionTicket
from msgspec import Struct

from transport.quic.tickets import MemoryTickets


class _Made(Struct, frozen=True, array_like=True, tag=0):
    """A ticket was given out by `source`."""

    source: bytes
    age_add: int
    cipher_suite: int
    not_valid_after: dt.datetime
    not_valid_before: dt.datetime
    resumption_secret: bytes
    server_name: str | None
    ticket: bytes
    max_early_data_size: int | None
    other_extensions: list[tuple[int, bytes]]


class _Taken(Struct, frozen=True, array_like=True, tag=1):
    """A ticket was used at `source`."""

    source: bytes
    ticket: bytes


_FIELDS = _Made.__struct_fields__[1:]
_decode = msgspec.msgpack.Decoder(_Made | _Taken).decode


class SharedTickets:
    """See aio.handshake.Tickets. `tell` passes bytes to the `heard` of all, in one order for all,
    and must not wait; what comes back to who told it is ignored."""

    def __init__(self, tell: Callable[[bytes], None], own: MemoryTickets | None = None) -> None:
        self._tell = tell
        self._own = own or MemoryTickets()
        self._source = os.urandom(8)

    def put(self, ticket: SessionTicket) -> None:
        """Keep one that is being given out."""
        self._own.put(ticket)
        fields = {name: getattr(ticket, name) for name in _FIELDS}
        fields["cipher_suite"] = int(ticket.cipher_suite)
        self._tell(msgspec.msgpack.encode(_Made(self._source, **fields)))

    def take(self, identity: bytes) -> SessionTicket | None:
        """The ticket that a client shows, for this one time."""
        ticket = self._own.take(identity)
        if ticket is not None:
            self._tell(msgspec.msgpack.encode(_Taken(self._source, identity)))
        return ticket

    def heard(self, news: bytes) -> None:
        """What one of the workers told. Raises msgspec.MsgspecError for what none told."""
        told = _decode(news)
        if told.source == self._source:
            return
        if isinstance(told, _Taken):
            self._own.take(told.ticket)
        else:
            fields = {name: getattr(told, name) for name in _FIELDS}
            fields["cipher_suite"] = CipherSuite(told.cipher_suite)
            self._own.put(SessionTicket(**fields))
