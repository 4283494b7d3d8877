"""The seam between transport and server: one live session, whatever carries it.

Invariants, which tests/conformance/session_suite.py holds every implementation to:
- frames of one flow (a conversation) arrive in the order they were sent, each once;
- `send` never waits: it queues, and over MAX_QUEUED bytes the session closes itself with
  SLOW_READER, so one reader that stops cannot hold memory or anybody else;
- `receive` never drops: over MAX_UNREAD frames that the server has not taken, the session closes
  with FLOODING (the client resumes nothing: it is told to stop);
- after the end, `send` and `receive` raise SessionClosed with the same code for ever, once the
  frames that came before the end were received;
- `close` is heard by the peer as its code when the transport still works, and takes at most
  CLOSE_LINGER seconds when it does not.

May import: wire, errors.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from transport.wire.frames import Frame
from transport.wire.lane import Counters

MAX_QUEUED = 1_048_576
"""Bytes a session holds for a reader that does not read. Over it: closed with SLOW_READER."""
MAX_UNREAD = 256
"""Frames a session holds for a server that has not taken them. Over it: closed with FLOODING."""
CLOSE_LINGER = 2.0
"""Seconds a close may take to be told to the peer before the transport is cut."""


class TransportKind(StrEnum):
    """What carries a session; the names appear in metrics, logs and the agent console."""

    QUIC = "quic"
    """ALPN tradewind/1: nothing between the session and QUIC."""
    WEBTRANSPORT = "webtransport"
    WEBSOCKET_H3 = "websocket-h3"
    WEBSOCKET_H2 = "websocket-h2"
    WEBSOCKET_H1 = "websocket-h1"
    MEMORY = "memory"


class SessionInfo(Struct, frozen=True):
    """What is known of a session before its first frame.

    `peer` is (address, port) of the other end, `origin` the Origin header or None for a client
    that is no browser, `path` the request path.
    """

    id: UUID
    transport: TransportKind
    peer: tuple[str, int]
    origin: str | None
    path: str
    secure: bool = True


class Session(Protocol):
    """One live session, either side of it."""

    @property
    def info(self) -> SessionInfo:
        """Fixed for the life of the session."""
        ...

    @property
    def counters(self) -> Counters:
        """What the lane counted so far."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the end has come; there may still be frames to receive."""
        ...

    def send(self, frame: Frame, *, hedge: bool = True) -> None:
        """Queue a frame. Raises SessionClosed after the end, LocalProtocolError on misuse."""
        ...

    async def receive(self) -> Frame:
        """The next frame. Raises SessionClosed at the end. One receiver at a time."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """End the session. Does nothing after the end."""
        ...

    async def wait_closed(self) -> None:
        """Return when the transport below is gone, at most CLOSE_LINGER seconds after the end."""
        ...
