"""How a client is told what to do, and what it tells of its connections.

May import: client trust and dial, session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from transport.client.dial import DIAL_TIMEOUT
from transport.client.tickets import TicketCache
from transport.client.trust import Trust
from transport.quic.roaming import Roaming
from transport.session import TransportKind

Token = Callable[[bool], Awaitable[str]]
"""Gives the token for `hello`; the argument says that the last one was refused. May raise DialError
to be asked again later."""


class Settings(Struct, frozen=True, kw_only=True):
    """Where and how to connect. `head_start` None tries one transport after the other.

    Without `datagrams` a session over QUIC is its stream alone, as on a path that has none. A
    client with an `origin` names WEBTRANSPORT among its transports: QUIC alone has no place for
    one. `tickets` is what the next connections may start early with; None keeps them in this
    client.
    """

    url: str
    transports: tuple[TransportKind, ...] = (TransportKind.QUIC, TransportKind.WEBSOCKET_H1)
    head_start: float | None = 0.3
    trust: Trust = Trust()
    origin: str | None = None
    timeout: float = DIAL_TIMEOUT
    datagrams: bool = True
    roaming: Roaming = Roaming()
    tickets: TicketCache | None = None
    name: str = "tradewind-python"


class Connected(Struct, frozen=True):
    """How and when one session came about, in seconds of the event loop's clock."""

    transport: TransportKind
    started: float
    opened: float
    welcomed: float
    early: bool = False
    """Whether the first words went out with a ticket, before the server had said anything."""
