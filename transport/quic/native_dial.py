"""The client's side of ALPN `tradewind/1`: a QUIC connection that is one session.

    client = open_native("chat.example", address, trust, memory=…)
    client.send_stream(hello)                  # with a ticket it goes in the first flight
    await client.established()
    event = await client.receive()             # StreamData, Datagram, then Closed for ever

What holds always: with a ticket nothing leaves before the first send or receive, so that what is
sent at once travels beside the first packet of the handshake; when the server does not take the
ticket, what was sent early is sent again by itself (streams) or was a copy anyway (datagrams);
nobody's answers come up before the server has proved who it is; over pieces.MAX_DATAGRAMS that
are not received the oldest is dropped.
May import: aio, peer, dialler, dial's trust, opened's events, pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    DatagramFrameReceived,
    HandshakeCompleted,
    QuicEvent,
    StreamDataReceived,
    StreamReset,
)
from aioquic.tls import SessionTicket
from msgspec import Struct

from transport.quic.aio.configuration import NATIVE_ALPN
from transport.quic.aio.connection import Connection
from transport.quic.dial import (
    BAD_CERTIFICATE,
    Address,
    DialError,
    Trust,
    certificate_hash,
    client_configuration,
)
from transport.quic.dialler import Dialler
from transport.quic.opened import ABNORMAL, Closed, Event
from transport.quic.peer import Peer
from transport.quic.pieces import Datagram, Pieces, StreamData
from transport.quic.roaming import Roaming


class Memory(Struct, frozen=True, kw_only=True):
    """What a client remembers of a server, and how it takes down what it is given for next time."""

    ticket: SessionTicket | None = None
    token: bytes = b""
    on_ticket: Callable[[SessionTicket], None] = lambda ticket: None
    on_token: Callable[[bytes], None] = lambda token: None


class NativeClient:
    """One connection, one stream, datagrams."""

    def __init__(
        self, host: str, address: Address, trust: Trust, memory: Memory, roaming: Roaming
    ) -> None:
        family, self._target = address
        self._trust = trust
        self._dialler = Dialler(family, roaming)
        self.quic = Connection(
            _settings(host, trust, memory), on_ticket=memory.on_ticket, on_token=memory.on_token
        )
        self._peer = Peer(self.quic, self._dialler.send, self._dialler)
        self._peer.handler = self
        self._dialler.carry(self._peer)
        self._established: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pieces = Pieces()
        self._closed: Closed | None = None
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self.quic.connect(self._target, self._peer.now())
        self.early = self.quic.early
        """Whether there was a ticket to send early data with."""
        self._stream = self.quic.get_next_available_stream_id()
        self.quic.send_stream_data(self._stream, b"")

    @property
    def max_datagram_size(self) -> int:
        """Bytes of the largest datagram."""
        return self.quic.native_room

    @property
    def moves(self) -> int:
        """How often the client has taken another socket."""
        return self._dialler.moves

    async def established(self, timeout: float) -> bool:
        """Wait for the handshake; whether early data was taken. Raises DialError."""
        self._peer.flush()
        try:
            return await asyncio.wait_for(asyncio.shield(self._established), timeout)
        except TimeoutError as error:
            host, port = self._target[:2]
            raise DialError(f"No answer from {host} port {port} over UDP.") from error

    def send_stream(self, data: bytes) -> None:
        """Queue bytes of the stream."""
        if self.quic.can_send(self._stream):
            self.quic.send_stream_data(self._stream, data)
            self._peer.flush()

    def send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when it is too large."""
        if self.quic.end is not None or len(data) > self.max_datagram_size:
            return False
        self.quic.send_datagram_frame(data)
        self._peer.flush()
        return True

    async def drained(self, left: int) -> None:
        """Wait until at most `left` bytes are unacknowledged, or the connection is lost."""
        while self.quic.end is None and self.quic.unacked(self._stream) > left:
            self._progress.clear()
            await self._progress.wait()

    async def receive(self) -> Event:
        """What came next, waiting for it; Closed at the end, for ever."""
        self._peer.flush()
        while not self._pieces or not self.quic.handshake_complete:
            if self._closed is not None:
                return self._closed
            self._wake.clear()
            await self._wake.wait()
        piece = self._pieces.take()
        if isinstance(piece, StreamData) and self.quic.release(self._stream, len(piece.data)):
            self._peer.flush()
        return piece

    def move(self, local: tuple[str, int] | None = None) -> None:
        """Go on from another socket: the network has changed. Raises OSError."""
        self._dialler.move(local)

    def close(self, code: int, reason: str = "") -> None:
        """End the session with a code."""
        if self._closed is None:
            self._end(Closed(code, reason))
            self._peer.close(code, reason)

    def leave(self) -> None:
        """Tell the server, then forget everything, sockets included, within three turns."""
        self._peer.close()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, loop.call_soon, self._peer.drop)

    def drop(self) -> None:
        """Forget everything, without a word."""
        self._peer.drop()

    # Handler of the peer

    def handle(self, event: QuicEvent) -> None:
        """Something arrived."""
        if isinstance(event, HandshakeCompleted):
            self._shook_hands(event)
        elif isinstance(event, StreamDataReceived):
            if event.stream_id == self._stream:
                self.quic.hold(self._stream, len(event.data))
                self._put(StreamData(event.data, event.end_stream))
            else:  # opened by the server: Tradewind's opens none
                self.quic.stop(event.stream_id, 0)
        elif isinstance(event, DatagramFrameReceived):
            self._put(Datagram(event.data))
        elif isinstance(event, StreamReset) and event.stream_id == self._stream:
            self._end(Closed(ABNORMAL, "the stream was reset"))

    def progressed(self) -> None:
        """Something was acknowledged, perhaps."""
        self._progress.set()
        if self._pieces:
            self._wake.set()  # the handshake may be what was waited for

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        if not self._established.done():
            self._established.set_exception(
                DialError(f"The handshake failed: {reason or 'no reason given'} ({code:#x}).")
            )
            self._established.exception()  # nobody may be waiting
        said = self.quic.ended_by_application
        self._end(Closed(code if said else ABNORMAL, reason))
        self._progress.set()

    # Inside

    def _shook_hands(self, event: HandshakeCompleted) -> None:
        # A server that resumes shows no certificate: it proves that it is the one that gave us the
        # ticket, and that one has shown a good certificate.
        hashes = self._trust.hashes
        if hashes and not event.session_resumed and certificate_hash(self.quic) not in hashes:
            self._peer.close(BAD_CERTIFICATE, "the certificate has another hash")
            return
        if self.early and not event.early_data_accepted:
            self.quic.early_data_rejected(self._peer.now())
        if not self._established.done():
            self._established.set_result(event.early_data_accepted)

    def _put(self, event: StreamData | Datagram) -> None:
        if self._closed is None:
            self._pieces.put(event)
            self._wake.set()

    def _end(self, closed: Closed) -> None:
        if self._closed is None:
            self._closed = closed
            self._wake.set()
            self.quic.release_all(self._stream)


def _settings(host: str, trust: Trust, memory: Memory) -> QuicConfiguration:
    settings = client_configuration(host, trust)
    settings.alpn_protocols = [NATIVE_ALPN]
    settings.session_ticket = memory.ticket
    settings.token = memory.token
    return settings
