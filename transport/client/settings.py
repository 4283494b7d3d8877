"""How a client is told what to do, and what it tells of its connections.

May import: client trust and dial, session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from transport.client.dial import DIAL_TIMEOUT
from transport.client.trust import Trust
from transport.session import TransportKind

Token = Callable[[bool], Awaitable[str]]
"""Gives the token for `hello`; the argument says that the last one was refused. May raise DialError
to be asked again later."""


class Settings(Struct, frozen=True, kw_only=True):
    """Where and how to connect. `head_start` None tries one transport after the other.

    Without `datagrams` a WebTransport session is its stream alone, as on a path that has none.
    """

    url: str
    transports: tuple[TransportKind, ...] = (
        TransportKind.WEBTRANSPORT,
        TransportKind.WEBSOCKET_H1,
    )
    head_start: float | None = 0.3
    trust: Trust = Trust()
    origin: str | None = None
    timeout: float = DIAL_TIMEOUT
    datagrams: bool = True
    name: str = "tradewind-python"


class Connected(Struct, frozen=True):
    """When one session came about, in seconds of the event loop's clock."""

    transport: TransportKind
    started: float
    opened: float
    welcomed: float
