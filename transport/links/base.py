"""The seam between transport and the relays: one live link to another region, whatever carries it.

Invariants, which tests/conformance/link_suite.py holds every implementation to:
- messages of one key arrive in the order they were sent, each once, as long as the link lives;
  messages of different keys may overtake each other;
- `send` never waits: over MAX_QUEUED bytes that the peer has not taken it raises LinkFull and has
  sent nothing; `drained` waits until half of that is free again;
- a receiver that does not take its messages stops the sender: over MAX_UNREAD of them the link is
  not read, and nothing is lost or closed by that, however long it lasts;
- a peer that is not heard for SILENCE heartbeats is gone: HEARTBEAT_TIMEOUT;
- after the end, `send`, `drained` and `receive` raise SessionClosed with the same code for ever,
  `receive` once the messages that came before the end were taken;
- `close` is heard by the peer as its code, after what was sent before, when the transport works,
  and takes at most CLOSE_LINGER seconds when it does not.

What arrived was not thereby understood: what was sent may be lost with the link.
May import: errors, session's bounds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from transport.errors import TransportError
from transport.session import CLOSE_LINGER

__all__ = [
    "CLOSE_LINGER",
    "MAX_KEY",
    "MAX_MESSAGE",
    "MAX_QUEUED",
    "MAX_UNREAD",
    "Link",
    "LinkFull",
    "LinkInfo",
    "LinkStats",
    "Message",
    "Way",
]

MAX_MESSAGE = 65_536
"""Bytes of a message. Over it: LocalProtocolError; from a peer, its link is closed."""
MAX_KEY = 256
"""Bytes of a key."""
MAX_QUEUED = 1_048_576
"""Bytes a link holds for a peer that does not take them. Over it: LinkFull."""
MAX_UNREAD = 256
"""Messages that wait to be received. Over it the link is not read; one read more may come in."""


class Way(StrEnum):
    """What carries a link."""

    QUIC = "quic"
    TCP = "tcp"
    MEMORY = "memory"


class LinkFull(TransportError):
    """The peer does not take what is sent. Nothing was sent by this call."""


class LinkInfo(Struct, frozen=True, kw_only=True):
    """What is known of a link: `region` is what the peer's certificate names, `peer` its (address,
    port), `dialled` whether this side made the connection."""

    region: str
    way: Way
    peer: tuple[str, int]
    dialled: bool


class LinkStats(Struct, frozen=True, kw_only=True):
    """How it goes. Bytes are those of messages and keys."""

    rtt: float | None
    """Seconds there and back, smoothed; None before the first answer."""
    loss: float | None
    """The share of our datagrams that the peer does not get; None where there are none."""
    copies: int
    """Of a message, now; 0 where there are no datagrams."""
    sent: int
    """Messages, and …"""
    received: int
    bytes_sent: int
    bytes_received: int
    copies_sent: int
    """… datagrams that were copies of one, and …"""
    copies_useful: int
    """… those of them that brought it first, as the peer says."""
    copies_unpaid: int
    """Copies that the loss asked for and the budget did not pay."""
    waiting: int
    """Bytes that wait for the peer."""


class Message(Struct, frozen=True):
    """What a link carries."""

    key: bytes
    data: bytes


class Link(Protocol):
    """One live link, either end."""

    @property
    def info(self) -> LinkInfo:
        """Fixed for the life of the link."""
        ...

    @property
    def stats(self) -> LinkStats:
        """How it goes now."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the end has come; there may still be messages to receive."""
        ...

    def send(self, key: bytes, data: bytes) -> None:
        """Queue a message. Raises LinkFull, SessionClosed, or LocalProtocolError on misuse."""
        ...

    async def drained(self) -> None:
        """Wait until at most half of MAX_QUEUED waits. Raises SessionClosed."""
        ...

    async def receive(self) -> Message:
        """The next message. Raises SessionClosed at the end. One receiver at a time."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """End the link. Does nothing after the end."""
        ...

    async def wait_closed(self) -> None:
        """Return when the transport below is gone, at most CLOSE_LINGER seconds after the end."""
        ...
