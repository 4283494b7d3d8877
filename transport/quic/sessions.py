"""One WebTransport session: the ASGI scope "webtransport" (see transport.asgi) on a connection.

What holds always: the session has one stream, the first bidirectional one that the client opens;
another, or a unidirectional one, is refused, and over MAX_REFUSED of them the session closes with
PROTOCOL_ERROR; over MAX_EVENTS events or MAX_BYTES bytes that the application has not taken it
closes with FLOODING; "disconnect" is the last event and nothing is sent after it; after it the
application has DISCONNECT_GRACE seconds to return, then it is cancelled.
May import: aio, capsules, request, errors, asgi. (h3 makes it.)
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog
from aioquic.quic.connection import stream_is_unidirectional

from transport.asgi import ABORT, Message
from transport.errors import CloseCode
from transport.quic import capsules
from transport.quic.aio.http3 import H3_MESSAGE_ERROR, H3_REQUEST_CANCELLED
from transport.quic.request import Head

if TYPE_CHECKING:
    from transport.quic.h3 import Http3Server

MAX_REFUSED = 8
"""Streams beyond the one that are refused before the session is closed."""
MAX_EVENTS = 1_024
"""Events that wait for the application."""
MAX_BYTES = 524_288
"""Bytes of stream data and datagrams that wait for the application."""
CHUNK = 65_536
"""Stream bytes handed to the connection at a time."""
CLOSE_DRAIN = 1.0
"""Seconds a close waits for the stream's last bytes to be acknowledged."""
DISCONNECT_GRACE = 5.0
"""Seconds the application has to return after the session ended."""

AFTER_END = 0.01
"""Seconds a send after the end takes: an application that only writes must not spin the loop."""

DRAFT_2 = (b"sec-webtransport-http3-draft", b"draft02")

log = structlog.get_logger("tradewind.webtransport")


class State(Enum):
    """What may be sent."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"


class WebTransportSession:
    """Carries one session. `stream` is the ID of its stream once the client opened it."""

    def __init__(self, server: Http3Server, stream_id: int, head: Head) -> None:
        self.stream: int | None = None
        self._server = server
        self._id = stream_id
        self._head = head
        self._state = State.CONNECTING
        self._capsules = capsules.Parser()
        # A list and a future, not a deque and an Event: those take 1.5 KiB, and most sessions idle.
        self._events: list[Message] = [{"type": "webtransport.connect"}]
        self._waiting = 0
        self._reader: asyncio.Future[None] | None = None
        """The application, waiting for an event."""
        self._refused: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    # What arrives

    def stream_data(self, stream_id: int, data: bytes, ended: bool) -> None:
        """Bytes of a stream of this session."""
        if self._state is State.CLOSED:
            return
        if self.stream is None and not stream_is_unidirectional(stream_id):
            self.stream = stream_id
        if stream_id != self.stream:
            self._refuse(stream_id)
            return
        self._server.quic.hold(stream_id, len(data))
        event = {"type": "webtransport.stream.receive", "stream": stream_id, "data": data}
        self._put({**event, "more": not ended}, len(data))

    def stream_reset(self, stream_id: int, code: int) -> None:
        """The client gave its half of the stream up."""
        code = capsules.from_http_code(code)
        self._put({"type": "webtransport.stream.reset", "stream": stream_id, "code": code}, 0)

    def datagram(self, data: bytes) -> None:
        """A datagram of this session."""
        self._put({"type": "webtransport.datagram.receive", "data": data}, len(data))

    # Carrier: what arrives on the CONNECT stream

    def data(self, data: bytes) -> None:
        """Capsules."""
        if self._state is State.CLOSED:
            return
        try:
            close = self._capsules.feed(data)
        except capsules.CapsuleError:
            self._server.abandon(self._id, H3_MESSAGE_ERROR)
            self._end(int(CloseCode.PROTOCOL_ERROR), "bad capsule")
            return
        if close is not None:
            code, reason = close.code, close.reason
            self._server.at_end_of_packet(lambda: self._ended_by_peer(code, reason))

    def ended(self) -> None:
        """The client ended the CONNECT stream: the same as a close with code 0."""
        self._server.at_end_of_packet(lambda: self._ended_by_peer(0, ""))

    def reset(self) -> None:
        """The client, the connection or the application cut the session."""
        self._server.abandon(self._id, H3_REQUEST_CANCELLED)
        if self.stream is not None:
            self._server.abandon(self.stream, capsules.SESSION_GONE)
        self._end(int(CloseCode.ABNORMAL), "")

    def stopped(self) -> None:
        """The client reads the CONNECT stream no more."""
        self.reset()

    # The application

    async def run(self) -> None:
        """Call the application and see it through."""
        self._task = asyncio.current_task()
        try:
            await self._server.app(self._scope(), self._receive, self._send)
            self._close(0, "")
        except Exception as error:
            log.error("application.failed", exc_info=error)
            self._close(int(CloseCode.INTERNAL), "internal error", 500)
        finally:
            if self._state is not State.CLOSED:  # cancelled
                self.reset()

    def _scope(self) -> dict[str, Any]:
        path, _, query = self._head.path.partition(b"?")
        room = self._server.quic.datagram_room(self._id)
        return {
            "type": "webtransport",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "3",
            "scheme": "https",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "headers": self._head.headers,
            "client": self._server.client,
            "server": self._server.server,
            "state": {**self._server.state, ABORT: self.reset},
            "extensions": {"webtransport": {"max_datagram_size": room}},
        }

    async def _receive(self) -> Message:
        while not self._events:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        event = self._events.pop(0)
        size = len(event.get("data", b""))
        self._waiting -= size
        of_stream = event["type"] == "webtransport.stream.receive"
        if of_stream and self._server.quic.release(event["stream"], size):
            self._server.flush()
        return event

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._state is State.CLOSED:
            await asyncio.sleep(AFTER_END)
        elif kind == "webtransport.close":
            await self._let_stream_finish()
            self._close(
                int(message.get("code", 0)), message.get("reason", ""), message.get("status", 403)
            )
        elif kind == "webtransport.accept" and self._state is State.CONNECTING:
            self._accept(list(message.get("headers", [])))
        elif self._state is not State.OPEN:
            raise RuntimeError(f"{kind} before webtransport.accept")
        elif kind == "webtransport.datagram.send":
            self._send_datagram(message["data"])
        elif kind == "webtransport.stream.send":
            await self._send_stream(message["stream"], message["data"], message.get("more", True))
        elif kind == "webtransport.stream.reset":
            self._reset_stream(message["stream"], message["code"])
        else:
            raise RuntimeError(f"unknown message {kind}")

    def _accept(self, headers: list[tuple[bytes, bytes]]) -> None:
        if not self._server.quic.can_send(self._id):
            return
        self._state = State.OPEN
        self._server.h3.send_headers(self._id, [(b":status", b"200"), DRAFT_2, *headers])
        self._server.flush()

    def _send_datagram(self, data: bytes) -> None:
        if len(data) > self._server.quic.datagram_room(self._id):
            self._server.quic.datagrams_dropped += 1
            return
        self._server.h3.send_datagram(self._id, data)
        self._server.flush()

    async def _send_stream(self, stream_id: int, data: bytes, more: bool) -> None:
        quic = self._server.quic
        self._check_stream(stream_id)
        for start in range(0, max(1, len(data)), CHUNK):
            if not quic.can_send(stream_id):
                return
            last = not more and start + CHUNK >= len(data)
            quic.send_stream_data(stream_id, data[start : start + CHUNK], last)
            if last:
                self._server.h3.end_sending(stream_id)
            self._server.flush()
            await self._server.drained(stream_id)

    def _reset_stream(self, stream_id: int, code: int) -> None:
        self._check_stream(stream_id)
        self._server.quic.reset_stream(stream_id, capsules.to_http_code(code))
        self._server.h3.end_sending(stream_id)
        self._server.flush()

    def _check_stream(self, stream_id: int) -> None:
        if stream_id != self.stream:
            raise RuntimeError("a session has one stream, the one its client opened")

    # The end

    def _close(self, code: int, reason: str, status: int = 403) -> None:
        """We end the session: by a capsule, or by refusing it before it began."""
        if self._state is State.CLOSED:
            return
        if self._state is State.CONNECTING:
            self._server.answer(self._id, status)
        elif self._server.quic.can_send(self._id):
            self._server.h3.send_data(self._id, capsules.encode_close(code, reason), True)
        self._end_stream()
        self._end(code, reason)

    async def _let_stream_finish(self) -> None:
        """The capsule is on another stream: it must not overtake what was written before it."""
        if self.stream is None:
            return
        try:
            await self._server.acknowledged(self.stream, 0, CLOSE_DRAIN)
        except TimeoutError:
            pass  # the peer learns the code and may miss the last bytes

    def _end_stream(self) -> None:
        """What was written to the stream still goes out; nothing more is taken from it."""
        if self.stream is None:
            return
        if self._server.quic.can_send(self.stream):
            self._server.quic.send_stream_data(self.stream, b"", True)
            self._server.h3.end_sending(self.stream)
        self._server.quic.stop(self.stream, capsules.SESSION_GONE)

    def _ended_by_peer(self, code: int, reason: str) -> None:
        if self._state is State.CLOSED:
            return
        if self._state is State.CONNECTING:
            self._server.answer(self._id, 400)
        elif self._server.quic.can_send(self._id):
            self._server.h3.send_data(self._id, b"", True)
        if self.stream is not None:
            self._server.abandon(self.stream, capsules.SESSION_GONE)
        self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSED
        self._events.append({"type": "webtransport.disconnect", "code": code, "reason": reason})
        self._wake()
        self._server.finished(self._id)
        if self.stream is not None:
            self._server.quic.release_all(self.stream)
        self._server.flush()
        task = self._task
        if task is not None and not task.done():
            grace = asyncio.get_running_loop().call_later(DISCONNECT_GRACE, task.cancel)
            task.add_done_callback(lambda _: grace.cancel())

    def _put(self, event: Message, size: int) -> None:
        if self._state is State.CLOSED:
            return
        if len(self._events) >= MAX_EVENTS or self._waiting + size > MAX_BYTES:
            self._close(int(CloseCode.FLOODING), "more unread than a session holds", 503)
            return
        self._waiting += size
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _refuse(self, stream_id: int) -> None:
        if stream_id in self._refused:
            return
        self._refused.add(stream_id)
        self._server.refuse_stream(stream_id, capsules.to_http_code(0))
        if len(self._refused) > MAX_REFUSED:
            self._close(int(CloseCode.PROTOCOL_ERROR), "too many streams", 400)
