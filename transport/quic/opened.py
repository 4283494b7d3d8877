"""What a client opened on an HTTP/3 connection: a request's stream, a WebSocket, a WebTransport.

What holds always: sends never wait and are dropped in silence after the end; `unacked` says how
much the server has left to acknowledge; what is not received withholds the stream's credit, and
over pieces.MAX_DATAGRAMS that are not received the oldest is dropped; every wait ends when the
stream or the connection does.
May import: aio, capsules, pieces. (dial makes these.)
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from msgspec import Struct

from transport.quic import capsules
from transport.quic.aio.connection import Connection
from transport.quic.aio.http3 import H3_REQUEST_CANCELLED, Http3
from transport.quic.pieces import Datagram, Pieces, StreamData

OPEN_TIMEOUT = 10.0
"""Seconds until a response's head must be there."""
ABNORMAL = 1006
"""The code of a session that ended without one."""
OK = 200
"""The status of an answer that takes a session."""

Headers = list[tuple[bytes, bytes]]


class ConnectionLost(Exception):
    """The connection, or the one stream, ended before the answer."""


class Refused(Exception):
    """The server answered a CONNECT with `status` instead of opening what was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The server refused with status {status}.")
        self.status = status


class Closed(Struct, frozen=True):
    """The end of a session. 1006 when nobody said a code."""

    code: int
    reason: str


Event = StreamData | Datagram | Closed


class Owner(Protocol):
    """The connection these are opened on."""

    quic: Connection

    def flush(self) -> None: ...

    def forget(self, stream_id: int) -> None: ...

    async def progress(self) -> None: ...


async def _drained(owner: Owner, stream_id: int | None, left: int) -> None:
    """Wait until at most `left` bytes of a stream are unacknowledged, or there is no hope."""
    while stream_id is not None and owner.quic.end is None:
        if owner.quic.unacked(stream_id) <= left:
            return
        await owner.progress()


class Stream:
    """A request's stream."""

    def __init__(self, owner: Owner, h3: Http3, stream_id: int) -> None:
        self.id = stream_id
        self.owner = owner
        self.h3 = h3
        self.failed = False
        self._head: asyncio.Future[tuple[int, Headers]] = asyncio.get_running_loop().create_future()
        self._unread = bytearray()
        self._ended = False
        self._wake = asyncio.Event()

    @property
    def unacked(self) -> int:
        """Bytes the server has not acknowledged."""
        return self.owner.quic.unacked(self.id)

    async def head(self) -> tuple[int, Headers]:
        """Status and headers of the response. Raises ConnectionLost."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._head), OPEN_TIMEOUT)
        except TimeoutError as error:
            self.abort()
            raise ConnectionLost("The server did not answer the request.") from error

    async def receive(self) -> bytes:
        """What came since the last time, waiting for it; b"" at the end."""
        while not self._unread and not self._ended:
            self._wake.clear()
            await self._wake.wait()
        data = bytes(self._unread)
        self._unread.clear()
        if self.owner.quic.release(self.id, len(data)):
            self.owner.flush()
        return data

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Queue body bytes."""
        if self.owner.quic.can_send(self.id):
            self.h3.send_data(self.id, data, end)
            self.owner.flush()

    def abort(self) -> None:
        """Cut the stream."""
        self.owner.quic.abandon(self.id, H3_REQUEST_CANCELLED)
        self.h3.end_sending(self.id)
        self.owner.flush()
        self.fail()

    # What arrives

    def headers(self, headers: Headers, ended: bool) -> None:
        """The head of the response, or trailers, which nobody reads."""
        status = int(dict(headers).get(b":status", b"0"))
        if status >= 200:
            self.answered(status, headers)
        self.data(b"", ended)

    def answered(self, status: int, headers: Headers) -> None:
        """This is the response, if there was none."""
        if not self._head.done():
            self._head.set_result((status, headers))

    def data(self, data: bytes, ended: bool) -> None:
        """Part of the body."""
        if self._ended:
            return
        self.owner.quic.hold(self.id, len(data))
        self._unread += data
        if ended:
            self._end()
        self._wake.set()

    def fail(self) -> None:
        """There will be no more."""
        if not self._ended:
            self.failed = True
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()
        self.owner.forget(self.id)
        if not self._head.done():
            self._head.set_exception(ConnectionLost("The stream ended before the answer."))
            self._head.exception()  # nobody may be waiting


class Socket:
    """A WebSocket's bytes over HTTP/3 (RFC 9220), for a codec above: no frames here."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def unacked(self) -> int:
        """Bytes the server has not acknowledged."""
        return self._stream.unacked

    def send(self, data: bytes) -> None:
        """Queue bytes."""
        self._stream.send(data)

    async def drained(self, left: int) -> None:
        """Wait until at most `left` bytes are unacknowledged, or the connection is lost."""
        await _drained(self._stream.owner, self._stream.id, left)

    async def receive(self) -> bytes:
        """What came since the last time, waiting for it; b"" at the end."""
        return await self._stream.receive()

    def end(self) -> None:
        """No more from us; what was queued still goes out."""
        self._stream.send(b"", end=True)

    def abort(self) -> None:
        """Cut it, without a word."""
        self._stream.abort()


class WebTransport:
    """A session with its one bidirectional stream, opened by us, and datagrams.

    It can be used before the server has answered: draft-ietf-webtrans-http3 section 4.3 lets a
    client open streams at once, and the server keeps what overtakes the request. `accepted` tells
    how it went."""

    def __init__(self, stream: Stream) -> None:
        self._connect = stream
        self._quic = stream.owner.quic
        self._capsules = capsules.Parser()
        self._pieces = Pieces()
        self._closed: Closed | None = None
        self._wake = asyncio.Event()
        self.stream_id: int | None = None

    async def accepted(self) -> None:
        """Wait until the server has taken the session. Raises Refused, ConnectionLost; then it is
        over."""
        try:
            status, _ = await self._connect.head()
            if status != OK:
                raise Refused(status)
        except BaseException:
            self.abort()
            raise

    @property
    def max_datagram_size(self) -> int:
        """Most bytes of a datagram; 0 when there are no datagrams."""
        return self._quic.datagram_room(self._connect.id)

    @property
    def unacked(self) -> int:
        """Bytes on the stream the server has not acknowledged."""
        return 0 if self.stream_id is None else self._quic.unacked(self.stream_id)

    async def drained(self, left: int) -> None:
        """Wait until at most `left` bytes of the stream are unacknowledged, or all is lost."""
        await _drained(self._connect.owner, self.stream_id, left)

    async def told(self) -> None:
        """After `close`: wait until the server has acknowledged it, or the connection is lost."""
        await _drained(self._connect.owner, self._connect.id, 0)

    @property
    def closed(self) -> Closed | None:
        """How it ended, once it has; there may still be events to receive."""
        return self._closed

    def start(self) -> int:
        """Open the stream."""
        self.stream_id = self._connect.h3.open_session_stream(self._connect.id)
        self._connect.owner.flush()
        return self.stream_id

    def send_stream(self, data: bytes, *, end: bool = False) -> None:
        """Queue bytes on the stream."""
        if self.stream_id is not None and self._quic.can_send(self.stream_id):
            self._quic.send_stream_data(self.stream_id, data, end)
            if end:
                self._connect.h3.end_sending(self.stream_id)
            self._connect.owner.flush()

    def send_datagram(self, data: bytes) -> bool:
        """Queue a datagram; False when it is too large or the session is over."""
        if self._closed is not None or len(data) > self.max_datagram_size:
            return False
        self._connect.h3.send_datagram(self._connect.id, data)
        self._connect.owner.flush()
        return True

    async def receive(self) -> Event:
        """The next event; after the last one Closed, for ever."""
        while not self._pieces:
            if self._closed is not None:
                return self._closed
            self._wake.clear()
            await self._wake.wait()
        piece = self._pieces.take()
        ours = self.stream_id if isinstance(piece, StreamData) else None
        if ours is not None and self._quic.release(ours, len(piece.data)):
            self._connect.owner.flush()
        return piece

    def close(self, code: int, reason: str = "") -> None:
        """End the session with a code."""
        if self._closed is None:
            self.send_stream(b"", end=True)
            self._connect.send(capsules.encode_close(code, reason), end=True)
            self.ended(code, reason)

    def abort(self) -> None:
        """Cut the session, without a word."""
        self._connect.abort()
        self.ended(ABNORMAL, "")

    # What arrives

    def capsule(self, data: bytes, ended: bool) -> None:
        """Bytes on the CONNECT stream."""
        try:
            close = self._capsules.feed(data)
        except capsules.CapsuleError:
            self.abort()
            return
        if close is None and not ended:
            return
        self._connect.send(b"", end=True)
        self.ended(0 if close is None else close.code, "" if close is None else close.reason)

    def put_stream(self, data: bytes, ended: bool) -> None:
        """Bytes of the stream."""
        if self._closed is None and self.stream_id is not None:
            if data:  # whoever speaks has accepted: the answer itself may be lost
                self._connect.answered(OK, [])
            self._quic.hold(self.stream_id, len(data))
            self._pieces.put(StreamData(data, ended))
            self._wake.set()

    def put_datagram(self, data: bytes) -> None:
        """A datagram."""
        if self._closed is not None:
            return
        self._connect.answered(OK, [])
        self._pieces.put(Datagram(data))
        self._wake.set()

    def ended(self, code: int, reason: str) -> None:
        """The session is over."""
        if self._closed is not None:
            return
        self._closed = Closed(code, reason)
        self._wake.set()
        if self.stream_id is not None:
            self._quic.stop(self.stream_id, capsules.SESSION_GONE)
            self._quic.release_all(self.stream_id)
            self._connect.owner.forget(self.stream_id)
        self._connect.fail()
        self._connect.owner.forget(self._connect.id)
        self._connect.owner.flush()
