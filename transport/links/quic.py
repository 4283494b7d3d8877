"""A link's carrier over QUIC, either end: ALPN `tradewind-relay/1`, one stream, datagrams.

The dialler opens the stream. Both ends judge what the other has shown as soon as the handshake is
complete, before anything of theirs goes out and before anything that came is looked at; who is
refused is told why by the TLS alert that fits, with a reason.

What holds always: nothing is handed up of a peer that was not admitted; input that nobody takes is
bounded by the stream's credit and by pieces.MAX_DATAGRAMS; another stream than the one is refused.
There are no session tickets on this ALPN, so nobody comes in without showing a certificate.
May import: credentials, carrier, errors, quic (aio, peer, dialler, pieces).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import (
    DatagramFrameReceived,
    HandshakeCompleted,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from cryptography import x509

from transport.errors import CloseCode, SessionClosed, wire_code
from transport.links.base import CLOSE_LINGER
from transport.links.credentials import STREAM_WINDOW, Credentials, PeerRefused
from transport.quic.aio.connection import Connection
from transport.quic.dial import Address
from transport.quic.dialler import Dialler
from transport.quic.peer import Peer
from transport.quic.pieces import Datagram, Pieces, StreamData
from transport.quic.roaming import Roaming
from transport.wire.lane import Via

Chain = Sequence[x509.Certificate]
Admit = Callable[[Chain], str]
"""The region that a chain proves, if it is welcome. Raises PeerRefused."""

HIGH_WATER = STREAM_WINDOW
"""Bytes of the stream that are not acknowledged, over which a writer waits."""
MAX_WAITING = 64
"""Datagrams that wait for the congestion window, over which a writer waits: a copy that comes late
is no use, and what a full queue drops would count as loss and call for more copies."""
_REFUSED = 0
"""The error code of a stream that nobody wants."""
_CUT = (StreamReset, StopSendingReceived)


class QuicCarrier:
    """A `Carrier`. `region` and `chain` are the peer's, once `ready` has returned."""

    def __init__(self, peer: Peer, admit: Admit, *, dials: bool) -> None:
        self.region = ""
        self.chain: Chain = ()
        self.max_datagram = 0
        self._peer = peer
        self._quic = peer.quic
        self._admit = admit
        self._dials = dials
        self._stream: int | None = None
        self._pieces = Pieces()
        self._ended: SessionClosed | None = None
        self._input = asyncio.Event()
        self._progress = asyncio.Event()

    async def ready(self) -> None:
        """Wait until the peer is admitted and the stream is there. Raises SessionClosed."""
        await self._until(lambda: self.region != "" and self._stream is not None)
        self._raise_if_ended()
        self.max_datagram = self._quic.native_room

    # The carrier.

    async def receive(self) -> tuple[Via, bytes]:
        while not self._pieces:
            self._raise_if_ended()
            self._input.clear()
            await self._input.wait()
        piece = self._pieces.take()
        if isinstance(piece, Datagram):
            return Via.DATAGRAM, piece.data
        assert self._stream is not None
        if self._quic.release(self._stream, len(piece.data)):
            self._peer.flush()
        return Via.STREAM, piece.data

    async def send(self, via: Via, data: bytes) -> None:
        assert self._stream is not None
        self._raise_if_ended()
        if via is Via.DATAGRAM:
            self._quic.send_datagram_frame(data)
            self._peer.flush()
            await self._until(lambda: self._quic.datagrams_waiting <= MAX_WAITING)
        elif self._quic.can_send(self._stream):
            self._quic.send_stream_data(self._stream, data)
            self._peer.flush()
            await self._acknowledged(HIGH_WATER)

    async def close(self, code: int, reason: str) -> None:
        # The close takes the stream with it: what was written before should have arrived.
        try:
            async with asyncio.timeout(CLOSE_LINGER / 2):
                await self._acknowledged(0)
        except TimeoutError:
            pass
        self._end(code, reason, remote=False)
        self._peer.close(wire_code(code), reason)

    def abort(self) -> None:
        """Forget it without a word. What has ended has had its last word, which may be on its way:
        a listener's connection goes by itself, a dialler's takes its socket along."""
        if self._ended is None:
            self._peer.drop()
        elif self._dials:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, loop.call_soon, self._peer.drop)

    # Handler of the peer.

    def handle(self, event: QuicEvent) -> None:
        """Something arrived."""
        if isinstance(event, HandshakeCompleted):
            self._shook_hands()
        elif not self.region or self._ended is not None:
            return
        elif isinstance(event, StreamDataReceived):
            self._stream_data(event)
        elif isinstance(event, DatagramFrameReceived):
            self._put(Datagram(event.data))
        elif isinstance(event, _CUT) and event.stream_id == self._stream:
            self._end(CloseCode.ABNORMAL, "the stream was reset", remote=True)

    def progressed(self) -> None:
        """Something was acknowledged, perhaps."""
        self._progress.set()

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        said = self._quic.ended_by_application
        self._end(code if said else CloseCode.ABNORMAL, reason, remote=True)

    # Inside.

    def _shook_hands(self) -> None:
        try:
            self.chain = self._quic.shown
            self.region = self._admit(self.chain)
        except PeerRefused as refused:
            # Of the transport, not of an application: that one would not be told the reason before
            # the handshake is confirmed (RFC 9000 section 10.2.3).
            code = QuicErrorCode.CRYPTO_ERROR + refused.alert
            self._quic.close(code, QuicFrameType.CRYPTO, refused.reason)
            self._end(CloseCode.FORBIDDEN, refused.reason, remote=False)
            self._peer.flush()
            return
        if self._dials:
            self._stream = self._quic.get_next_available_stream_id()
            self._quic.send_stream_data(self._stream, b"")

    def _stream_data(self, event: StreamDataReceived) -> None:
        stream = event.stream_id
        if self._stream is None and not stream_is_unidirectional(stream):
            self._stream = stream
        if stream == self._stream:
            self._quic.hold(stream, len(event.data))
            self._put(StreamData(event.data, event.end_stream))
        elif stream_is_unidirectional(stream):
            self._quic.stop(stream, _REFUSED)
        else:
            self._quic.abandon(stream, _REFUSED)

    def _put(self, piece: StreamData | Datagram) -> None:
        self._pieces.put(piece)
        self._input.set()

    async def _acknowledged(self, left: int) -> None:
        """Wait until at most `left` bytes are unacknowledged, or all is lost."""
        stream = self._stream
        assert stream is not None
        await self._until(lambda: self._quic.unacked(stream) <= left)

    async def _until(self, there: Callable[[], bool]) -> None:
        while self._ended is None and not there():
            self._progress.clear()
            await self._progress.wait()

    def _end(self, code: int, reason: str, *, remote: bool) -> None:
        if self._ended is None:
            self._ended = SessionClosed(code, reason, remote=remote)
            self._input.set()
            self._progress.set()

    def _raise_if_ended(self) -> None:
        if (end := self._ended) is not None:
            raise SessionClosed(end.code, end.reason, remote=end.remote)


async def dial_quic(address: Address, credentials: Credentials, admit: Admit) -> QuicCarrier:
    """Shake hands with (family, address). Raises SessionClosed, OSError."""
    family, target = address
    # A region stays where it is: when nothing is heard, heartbeats find out and it is dialled anew.
    dialler = Dialler(family, Roaming(probe_every=None))
    quic = Connection(credentials.settings(is_client=True))
    peer = Peer(quic, dialler.send, dialler)
    carrier = QuicCarrier(peer, admit, dials=True)
    peer.handler = carrier
    dialler.carry(peer)
    quic.connect(target, peer.now())
    peer.flush()
    try:
        await carrier.ready()
    except BaseException:
        carrier.abort()
        raise
    return carrier
