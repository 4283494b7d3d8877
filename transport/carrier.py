"""What the driver asks of whatever carries a session: a WebSocket, a WebTransport session, memory.

May import: wire, errors (and names here only what both sides of every carrier can do).
"""

from __future__ import annotations

from typing import Protocol

from transport.wire.lane import Via


class Carrier(Protocol):
    """One end of one connection. The driver calls `send` from at most one task per `Via`.

    What holds always: after `abort`, and after the peer went, `receive` raises soon and for ever.
    """

    @property
    def max_datagram(self) -> int | None:
        """Bytes of the largest datagram, 0 for a stream without datagrams, None for messages."""
        ...

    async def receive(self) -> tuple[Via, bytes]:
        """The next piece of input.

        Raises SessionClosed at the end, with the peer's close code where there was one, and
        RemoteProtocolError when the peer used the carrier in a way no session may.
        """
        ...

    async def send(self, via: Via, data: bytes) -> None:
        """Send, waiting while the peer does not read; a datagram never waits for the stream."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Tell the peer the close code in the carrier's own way."""
        ...

    def abort(self) -> None:
        """Cut the connection now, saying nothing. Once it has ended: only let go of it."""
        ...
