"""Everything else over TCP, by Hypercorn: pages and REST, and WebSockets over HTTP/2.

Hypercorn's own connection class reads asyncio streams, keeps a task for each idle timer, and
notices a client that left only when that timer ends. This one sits on a link and uses its
protocols.

What holds always: the peer's end is noticed at once, also between requests; a WebSocket is not
compressed; `run` returns when the application is done with the connection.
Bounds: MAX_UNREAD bytes that the protocol has not taken, over which the client waits; KEEP_ALIVE
seconds without a request, or with half of one; STALL seconds in which a client takes nothing of
what waits for it, after which it is cut.

May import: link, hyper, asgi, alarm.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h2.events
import h11
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol
from hypercorn.typing import ConnectionState

from transport.alarm import Alarm
from transport.asgi import ABORT, App
from transport.hyper import EXTENSIONS, KEEP_ALIVE
from transport.tcp.link import HIGH_WATER, Link

MAX_UNREAD = 65_536
"""Bytes that wait for the protocol. Over it the client waits."""
STALL = 60.0
"""Seconds a client may take to make room for more of an answer."""


class HttpConnection:
    """The owner of a link that speaks HTTP."""

    def __init__(
        self,
        app: App,
        config: Config,
        context: WorkerContext,
        state: dict[str, Any],
        link: Link,
        first: bytes,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]
        self._config = config
        self._context = context
        self._state = ConnectionState({**state, ABORT: link.abort})
        self._link = link
        self._unread = bytearray(first)
        self._over = False
        """No more input will come."""
        self._waiting: asyncio.Future[None] | None = None
        """`_read`, waiting for input."""
        self._writing = asyncio.Lock()
        self._idle = Alarm(self._loop, lambda _: self.ended())
        self._protocol: H11Protocol | H2Protocol

    # The owner of the link.

    def received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > MAX_UNREAD:
            self._link.pause()
        self._wake()

    def ended(self) -> None:
        self._over = True
        self._wake()

    # Its life.

    async def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            async with TaskGroup(self._loop) as tasks:
                self._protocol = self._make_protocol(tasks)
                await self._protocol.initiate()
                self._rest()
                await self._read()
        finally:
            self._idle.cancel()
            self._link.close()
            del self._idle, self._protocol  # They refer back; nothing is left to the collector.

    def leave(self) -> None:
        """The server is closing: end now unless a request is being answered."""
        if self._idle.armed:
            self.ended()

    def _make_protocol(self, tasks: TaskGroup) -> H11Protocol | H2Protocol:
        link = self._link
        return (_Http2 if link.alpn == "h2" else _Http1)(
            self._app,
            self._config,
            self._context,
            tasks,
            self._state,
            link.tls,
            link.peer,
            link.local,
            self._send,
        )

    async def _read(self) -> None:
        while not self._over or self._unread:
            if not self._unread:
                self._waiting = self._loop.create_future()
                await self._waiting
                continue
            data = bytes(self._unread)
            self._unread.clear()
            self._link.resume()
            await self._handle(data)
        await self._handle(b"")  # h11 answers half a request.
        await self._protocol.handle(Closed())

    async def _handle(self, data: bytes) -> None:
        try:
            await self._protocol.handle(RawData(data))
        except (H2CProtocolRequiredError, H2ProtocolAssumedError):
            await self._send(Closed())  # Nobody here changes from one to the other.

    async def _send(self, event: Event) -> None:
        """What the protocol wants of the connection."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Closed):
            self._link.close()
            self.ended()
        elif isinstance(event, Updated):
            if event.idle:
                self._rest()
            else:
                self._idle.cancel()

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            self._link.write(data)
            if self._link.waiting > HIGH_WATER:
                try:
                    async with asyncio.timeout(STALL):
                        await self._link.drained()
                except TimeoutError:
                    self._link.abort()
        if not self._link.open:
            self.ended()
            await asyncio.sleep(0)  # An application that only sends must hear that it is cancelled.
            await self._protocol.handle(Closed())

    def _rest(self) -> None:
        """There is no request: wait for one, but not for ever."""
        self._idle.arm(self._loop.time() + KEEP_ALIVE)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Http1(H11Protocol):
    """Without compressed WebSockets."""

    async def _create_stream(self, request: h11.Request) -> None:
        headers = [(n, v) for n, v in request.headers if n != EXTENSIONS]
        await super()._create_stream(
            h11.Request(
                method=request.method,
                target=request.target,
                headers=headers,
                http_version=request.http_version,
            )
        )


class _Http2(H2Protocol):
    """Without compressed WebSockets, and with patience for bodies that nobody wanted."""

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                # Answered before its body came: not worth the connection and its other streams.
                self.connection.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            else:
                await super()._handle_events([event])
        await self._flush()

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        request.headers = [(n, v) for n, v in request.headers if n != EXTENSIONS]
        await super()._create_stream(request)
