"""One HTTP request, or one WebSocket (RFC 9220), on a stream: Hypercorn's stream on our connection.

What holds always: bytes that the application has not taken are withheld from the stream's credit,
so a slow application stops this stream's sender and nothing else; a body over MAX_BODY is answered
413 and stopped; what the application sends after the end is dropped; after the end it has
DISCONNECT_GRACE seconds to return, then it is cancelled.
May import: aio, request, hyper, asgi. (h3 makes it.)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.protocol.events import (
    Body,
    Data,
    EndBody,
    EndData,
    Event,
    InformationalResponse,
    Request,
    Response,
    StreamClosed,
    Trailers,
)
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.typing import ConnectionState

from transport.asgi import ABORT
from transport.hyper import WebSocketStream
from transport.quic.aio.http3 import (
    H3_EXCESSIVE_LOAD,
    H3_INTERNAL_ERROR,
    H3_NO_ERROR,
    H3_REQUEST_CANCELLED,
)
from transport.quic.request import Head, Headers

if TYPE_CHECKING:
    from transport.quic.h3 import Http3Server

MAX_BODY = 16_777_216
"""Bytes of a request body. Over it: 413."""
CHUNK = 65_536
"""Bytes given to the application, or to the connection, at a time."""
DISCONNECT_GRACE = 5.0
"""Seconds the application has to return after its client went away."""

AFTER_END = 0.01
"""Seconds a send after the end takes: an application that only writes must not spin the loop."""

CONNECTION_HEADERS = (b"connection", b"keep-alive", b"transfer-encoding", b"upgrade")
"""What HTTP/1.1 says about the connection and HTTP/3 forbids (RFC 9114 section 4.2)."""

log = structlog.get_logger("tradewind.http")


class Exchange:
    """Carries one request."""

    def __init__(self, server: Http3Server, stream_id: int, head: Head) -> None:
        self._server = server
        self._stream_id = stream_id
        self._head = head
        self._is_websocket = head.method == "CONNECT"
        self._unread = bytearray()
        self._received = 0
        self._ended = False
        self._closed = False
        self._wake = asyncio.Event()
        self._trailers: Headers | None = None
        self._responded = False
        self._task: asyncio.Task[None] | None = None

    # Carrier: what arrives

    def data(self, data: bytes) -> None:
        """Part of the body."""
        if self._closed:
            return
        self._received += len(data)
        if self._received > MAX_BODY and not self._is_websocket:
            self._refuse_body()
            return
        self._server.quic.hold(self._stream_id, len(data))
        self._unread += data
        self._wake.set()

    def ended(self) -> None:
        """The body is whole. A WebSocket that ends without a Close frame was cut."""
        self._ended = True
        self._wake.set()

    def reset(self) -> None:
        """The client gave up, or the connection did."""
        self._server.abandon(self._stream_id, H3_REQUEST_CANCELLED)
        self._close()
        self._limit_grace()

    def stopped(self) -> None:
        """The client reads no more of the response."""
        self.reset()

    # The application

    async def run(self) -> None:
        """Call the application and see it through."""
        self._task = asyncio.current_task()
        try:
            length = self._head.content_length
            if length is not None and length > MAX_BODY:
                self._refuse_body()
            else:
                await self._call()
        except Exception as error:
            log.error("exchange.failed", exc_info=error)
        finally:
            self._end_response()
            self._close()

    async def _call(self) -> None:
        server = self._server
        state = ConnectionState({**server.state, ABORT: self.reset})
        request = Request(
            stream_id=self._stream_id,
            headers=self._head.headers,
            http_version="3",
            method=self._head.method,
            raw_path=self._head.path,
            state=state,
        )
        kind = WebSocketStream if self._is_websocket else HTTPStream
        async with asyncio.TaskGroup() as pumps:
            pump = None
            async with TaskGroup(asyncio.get_running_loop()) as group:
                stream = kind(
                    ASGIWrapper(server.app),  # type: ignore[arg-type]
                    server.config,
                    WorkerContext(None),
                    group,
                    True,
                    server.client,
                    server.server,
                    self._send,
                    self._stream_id,
                )
                await stream.handle(request)
                pump = pumps.create_task(self._pump(stream))
            pump.cancel()

    async def _pump(self, stream: HTTPStream | WebSocketStream) -> None:
        """Give what arrived to the application, as fast as it takes it."""
        body_told = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unread and not self._closed:
                chunk = bytes(self._unread[:CHUNK])
                del self._unread[: len(chunk)]
                await stream.handle(Body(stream_id=self._stream_id, data=chunk))
                self._release(len(chunk))
            if self._ended and not self._is_websocket and not body_told and not self._closed:
                body_told = True
                await stream.handle(EndBody(stream_id=self._stream_id))
            if self._closed or (self._ended and self._is_websocket):
                await stream.handle(StreamClosed(stream_id=self._stream_id))
                return

    def _release(self, size: int) -> None:
        if self._server.quic.release(self._stream_id, size):
            self._server.flush()

    # The response

    async def _send(self, event: Event) -> None:
        if isinstance(event, StreamClosed):
            self._end_response()
            self._close()
        elif not self._server.quic.can_send(self._stream_id):
            await asyncio.sleep(AFTER_END)
        elif isinstance(event, (Response, InformationalResponse)):
            self._send_head(event)
        elif isinstance(event, (Body, Data)):
            await self._send_body(event.data)
        elif isinstance(event, Trailers):
            self._trailers = list(event.headers)
        elif isinstance(event, (EndBody, EndData)):
            self._send_end()

    def _send_head(self, event: Response | InformationalResponse) -> None:
        self._responded = True
        headers = [(n, v) for n, v in event.headers if n.lower() not in CONNECTION_HEADERS]
        status = (b":status", b"%d" % event.status_code)
        more = self._server.config.response_headers("h3")
        self._server.h3.send_headers(self._stream_id, [status, *headers, *more])
        self._server.flush()

    async def _send_body(self, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            if not self._server.quic.can_send(self._stream_id):
                return
            self._server.h3.send_data(self._stream_id, data[start : start + CHUNK], False)
            self._server.flush()
            await self._server.drained(self._stream_id)

    def _send_end(self) -> None:
        if self._trailers is not None:
            self._server.h3.send_headers(self._stream_id, self._trailers, end_stream=True)
        else:
            self._server.h3.send_data(self._stream_id, b"", end_stream=True)
        self._server.quic.stop(self._stream_id, H3_NO_ERROR)
        self._server.flush()
        if self._is_websocket:
            self._close()
            self._limit_grace()

    def _end_response(self) -> None:
        """However the application left it, the client must not wait for more."""
        if not self._server.quic.can_send(self._stream_id):
            return
        if self._is_websocket and self._responded:
            self._send_end()
        else:
            self._server.abandon(self._stream_id, H3_INTERNAL_ERROR)

    def _refuse_body(self) -> None:
        if self._responded:
            self._server.abandon(self._stream_id, H3_EXCESSIVE_LOAD)
        else:
            self._server.answer(self._stream_id, 413)
        self._close()
        self._limit_grace()

    def _close(self) -> None:
        """The end of the stream: no more in, no more out."""
        if self._closed:
            return
        self._closed = True
        self._unread.clear()
        self._server.finished(self._stream_id)
        self._wake.set()

    def _limit_grace(self) -> None:
        """The application's work is for nobody: it may wind up, not go on."""
        task = self._task
        if task is not None and not task.done():
            grace = asyncio.get_running_loop().call_later(DISCONNECT_GRACE, task.cancel)
            task.add_done_callback(lambda _: grace.cancel())
