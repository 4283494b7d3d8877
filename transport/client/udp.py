"""What the client's carriers over QUIC share, be it with HTTP/3 or without.

May import: client's trust, quic, wire, errors.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from transport.client.trust import Trust
from transport.quic import dial as quic
from transport.wire.lane import Via

STAGGER = 0.25
"""Seconds between the attempts at a host's addresses (RFC 8305 section 5)."""


@runtime_checkable
class Movable(Protocol):
    """A carrier whose connection can go on from another local address."""

    def move(self, local: tuple[str, int] | None = None) -> None:
        """Take a new socket, bound to `local` if that is given. Raises OSError."""
        ...


@runtime_checkable
class Unanswered(Protocol):
    """A carrier that may be spoken on before the server has taken the session."""

    async def answered(self) -> None:
        """Wait until it has. Raises DialRefused, DialError."""
        ...


class Source(Protocol):
    """Where events of a session come from; the last one, for ever, is Closed."""

    async def receive(self) -> quic.StreamData | quic.Datagram | quic.Closed: ...


async def next_piece(source: Source) -> tuple[Via, bytes] | quic.Closed:
    """The next bytes for the machine, or the end."""
    while True:
        event = await source.receive()
        if isinstance(event, quic.Closed):
            return event
        if isinstance(event, quic.Datagram):
            return Via.DATAGRAM, event.data
        if event.data:
            return Via.STREAM, event.data


def believed(trust: Trust) -> quic.Trust:
    """The same trust in the words of QUIC."""
    return quic.Trust(
        hashes=frozenset(trust.certificate_hashes),
        cafile=None if trust.ca_file is None else str(trust.ca_file),
        insecure=trust.insecure,
    )
