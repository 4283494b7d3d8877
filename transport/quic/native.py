"""The server's side of ALPN `tradewind/1`: the QUIC connection is the session.

The application sees the scope "webtransport" (transport/asgi.py) with `http_version` "tradewind/1",
so nothing above knows the difference. The path is always NATIVE_PATH, and there are no headers but
`host`, so no Origin: no browser speaks this.

What holds always: the session has one stream, the first bidirectional one that the client opens;
another, or a unidirectional one, is refused, and over MAX_REFUSED of them the connection closes
with PROTOCOL_ERROR; over MAX_EVENTS events or MAX_BYTES bytes that the application has not taken it
closes with FLOODING; the close code of the session is the application error code of the
connection's close; "disconnect" is the last event, and after it the application has
DISCONNECT_GRACE seconds to return.

Early data (RFC 9001 section 4.6) comes in like any other: the ticket under it is good for one
connection, so it cannot be replayed, and what it says carries ids that make it idempotent.
May import: aio, peer, sessions' bounds, errors, asgi.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import (
    DatagramFrameReceived,
    HandshakeCompleted,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)

from transport.asgi import ABORT, App, Message
from transport.errors import CloseCode
from transport.quic.aio.bounds import HIGH_WATER, WRITE_STALL
from transport.quic.aio.configuration import NATIVE_ALPN, NATIVE_PATH
from transport.quic.peer import Peer
from transport.quic.sessions import (
    AFTER_END,
    CHUNK,
    CLOSE_DRAIN,
    DISCONNECT_GRACE,
    MAX_BYTES,
    MAX_EVENTS,
    MAX_REFUSED,
)

REFUSED = 0
"""The error code of a stream that nobody wants."""

_STARTS = (HandshakeCompleted, StreamDataReceived, DatagramFrameReceived)
"""Events before which the application is not called: a flood of first packets costs it nothing.
Data comes before the handshake is complete only under a ticket."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

log = structlog.get_logger("tradewind.quic")


class NativeServer:
    """Handles one connection."""

    def __init__(
        self,
        app: App,
        peer: Peer,
        spawn: Spawn,
        state: dict[str, Any],
        *,
        client: tuple[str, int],
        server: tuple[str, int],
    ) -> None:
        self._app = app
        self._peer = peer
        self._quic = peer.quic
        self._state = state
        self._client = client
        self._server = server
        self._stream: int | None = None
        self._accepted = False
        self._over = False
        self._events: deque[Message] = deque([{"type": "webtransport.connect"}])
        self._waiting = 0
        self._wake = asyncio.Event()
        self._wake.set()
        self._refused: set[int] = set()
        self._room: asyncio.Event | None = None
        """Set when something was acknowledged; there while a writer waits."""
        self._spawn = spawn
        self._task: asyncio.Task[None] | None = None

    # Handler of the peer

    def handle(self, event: QuicEvent) -> None:
        """Something arrived on the connection."""
        if self._task is None and isinstance(event, _STARTS):
            self._task = self._spawn(self._run())
        if isinstance(event, StreamDataReceived):
            self._stream_data(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, DatagramFrameReceived):
            data = {"type": "webtransport.datagram.receive", "data": event.data}
            self._put(data, len(event.data))
        elif isinstance(event, StreamReset) and event.stream_id == self._stream:
            reset = {"type": "webtransport.stream.reset", "stream": event.stream_id, "code": 0}
            self._put(reset, 0)
        elif isinstance(event, StopSendingReceived) and event.stream_id == self._stream:
            self.abort()

    def progressed(self) -> None:
        """A packet was handled: it may have acknowledged what a writer waits for."""
        if self._room is not None:
            self._room.set()

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        said = self._quic.ended_by_application
        self._end(code if said else int(CloseCode.ABNORMAL), reason)

    # The endpoint

    def go_away(self) -> None:
        """There is nothing to refuse: one connection carries one session."""

    # The application

    async def _run(self) -> None:
        try:
            await self._app(self._scope(), self._receive, self._send)
            self._close(0, "")
        except Exception as error:
            log.error("application.failed", exc_info=error)
            self._close(int(CloseCode.INTERNAL), "internal error")
        finally:
            if not self._over:  # cancelled
                self.abort()

    def _scope(self) -> dict[str, Any]:
        host, port = self._server
        name = f"[{host}]" if ":" in host else host
        return {
            "type": "webtransport",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": NATIVE_ALPN,
            "scheme": "https",
            "path": NATIVE_PATH,
            "raw_path": NATIVE_PATH.encode(),
            "query_string": b"",
            "headers": [(b"host", f"{name}:{port}".encode())],
            "client": self._client,
            "server": self._server,
            "state": {**self._state, ABORT: self.abort},
            "extensions": {"webtransport": {"max_datagram_size": self._quic.native_room}},
        }

    async def _receive(self) -> Message:
        while not self._events:
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        size = len(event.get("data", b""))
        self._waiting -= size
        of_stream = event["type"] == "webtransport.stream.receive"
        if of_stream and self._quic.release(event["stream"], size):
            self._peer.flush()
        return event

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._over:
            await asyncio.sleep(AFTER_END)
        elif kind == "webtransport.close":
            await self._let_stream_finish()
            self._close(int(message.get("code", 0)), message.get("reason", ""))
        elif kind == "webtransport.accept":
            self._accepted = True
        elif not self._accepted:
            raise RuntimeError(f"{kind} before webtransport.accept")
        elif kind == "webtransport.datagram.send":
            self._send_datagram(message["data"])
        elif kind == "webtransport.stream.send":
            await self._send_stream(message["stream"], message["data"])
        else:
            raise RuntimeError(f"unknown message {kind}")

    def _send_datagram(self, data: bytes) -> None:
        if len(data) > self._quic.native_room:
            self._quic.datagrams_dropped += 1
            return
        self._quic.send_datagram_frame(data)
        self._peer.flush()

    async def _send_stream(self, stream_id: int, data: bytes) -> None:
        if stream_id != self._stream:
            raise RuntimeError("a session has one stream, the one its client opened")
        for start in range(0, len(data), CHUNK):
            if not self._quic.can_send(stream_id):
                return
            self._quic.send_stream_data(stream_id, data[start : start + CHUNK])
            self._peer.flush()
            try:
                await self._acknowledged(HIGH_WATER, WRITE_STALL)
            except TimeoutError:
                self.abort()

    async def _acknowledged(self, left: int, timeout: float) -> None:
        """Wait until at most `left` bytes are unacknowledged, or all is lost."""
        assert self._stream is not None
        if self._quic.unacked(self._stream) <= left:
            return
        try:
            async with asyncio.timeout(timeout):
                while self._quic.unacked(self._stream) > left and not self._over:
                    self._room = asyncio.Event()
                    await self._room.wait()
        finally:
            self._room = None

    async def _let_stream_finish(self) -> None:
        """What was written before a close should arrive: the close takes the stream with it."""
        if self._stream is not None:
            try:
                await self._acknowledged(0, CLOSE_DRAIN)
            except TimeoutError:
                pass  # the peer learns the code and may miss the last bytes

    # What arrives

    def _stream_data(self, stream_id: int, data: bytes, ended: bool) -> None:
        if self._over:
            return
        if self._stream is None and not stream_is_unidirectional(stream_id):
            self._stream = stream_id
        if stream_id != self._stream:
            self._refuse(stream_id)
            return
        self._quic.hold(stream_id, len(data))
        event = {"type": "webtransport.stream.receive", "stream": stream_id, "data": data}
        self._put({**event, "more": not ended}, len(data))

    def _refuse(self, stream_id: int) -> None:
        if stream_id in self._refused:
            return
        self._refused.add(stream_id)
        if stream_is_unidirectional(stream_id):
            self._quic.stop(stream_id, REFUSED)
        else:
            self._quic.abandon(stream_id, REFUSED)
        self._peer.flush()
        if len(self._refused) > MAX_REFUSED:
            self._close(int(CloseCode.PROTOCOL_ERROR), "too many streams")

    def _put(self, event: Message, size: int) -> None:
        if self._over:
            return
        if len(self._events) >= MAX_EVENTS or self._waiting + size > MAX_BYTES:
            self._close(int(CloseCode.FLOODING), "more unread than a session holds")
            return
        self._waiting += size
        self._events.append(event)
        self._wake.set()

    # The end

    def abort(self) -> None:
        """Cut the connection. The peer hears no code, but does not wait for us either."""
        if not self._over:
            self._end(int(CloseCode.ABNORMAL), "")
            self._peer.close()

    def _close(self, code: int, reason: str) -> None:
        if not self._over:
            self._end(code, reason)
            self._peer.close(code, reason)

    def _end(self, code: int, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._events.append({"type": "webtransport.disconnect", "code": code, "reason": reason})
        self._wake.set()
        self.progressed()
        if self._task is not None and not self._task.done():
            grace = asyncio.get_running_loop().call_later(DISCONNECT_GRACE, self._task.cancel)
            self._task.add_done_callback(lambda _: grace.cancel())
