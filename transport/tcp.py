"""The TCP side: Hypercorn's HTTP/1.1 and HTTP/2 on our sockets, TLS 1.3 only, and plain loopback.

What holds always: over `max_connections` a new connection is closed after its handshake; what goes
wrong on one connection ends that connection only, and a client that fails the handshake (TLS 1.2,
say) is no error of ours; when the server closes, connections get `grace` seconds to finish and are
then cut; WebSockets are not compressed.
May import: hyper, asgi.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import h2.events
import h11
import structlog
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.events import Closed, Event
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from transport.asgi import ABORT, App
from transport.hyper import EXTENSIONS, hypercorn_config

BACKLOG = 1_024
"""Connections the kernel holds for us between two turns of the loop."""
HANDSHAKE_DEADLINE = 10.0
"""Seconds a TLS handshake may take."""
CLOSE_DEADLINE = 2.0
"""Seconds a connection that was closed gets to send its last bytes before it is cut."""

log = structlog.get_logger("tradewind.tcp")

COUNTERS = ("tcp_accepted", "tcp_refused", "tcp_failed")


class TcpServer:
    """Serves `app` on any number of listening sockets."""

    def __init__(
        self,
        app: App,
        tasks: asyncio.TaskGroup,
        state: dict[str, Any],
        quic_port: int,
        *,
        max_connections: int,
    ) -> None:
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]
        self._tasks = tasks
        self._state = state
        self._max_connections = max_connections
        self._quic_port = quic_port
        self._context = WorkerContext(None)
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._count = dict.fromkeys(COUNTERS, 0)

    async def start(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Listen on a bound socket, with TLS when there is a context."""
        # Plain HTTP is for loopback, where HTTP/3 is not offered: no Alt-Svc.
        config = hypercorn_config(self._quic_port if context is not None else None)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connected(config, reader, writer)

        server = await asyncio.start_server(
            connected,
            sock=sock,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=None if context is None else HANDSHAKE_DEADLINE,
        )
        self._servers.append(server)

    def stop(self) -> None:
        """Take no more; what runs goes on."""
        for server in self._servers:
            server.close()

    async def close(self, grace: float) -> None:
        """Take no more, let what runs finish within `grace` seconds, then cut."""
        self.stop()
        await self._context.terminated.set()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=grace)
        for task, writer in list(self._connections.items()):
            writer.transport.abort()
            task.cancel()

    def stats(self) -> dict[str, int]:
        """Counters and gauges."""
        return self._count | {"tcp_connections": len(self._connections)}

    def _connected(
        self, config: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(self._connections) >= self._max_connections:
            self._count["tcp_refused"] += 1
            writer.transport.abort()
            return
        self._count["tcp_accepted"] += 1
        state = {**self._state, ABORT: writer.transport.abort}
        connection = _Connection(
            self._app,
            asyncio.get_running_loop(),
            config,
            self._context,
            state,
            reader,
            writer,
        )
        task = self._tasks.create_task(self._serve(connection))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, connection: _Connection) -> None:
        try:
            await connection.run()
        except Exception as error:
            self._count["tcp_failed"] += 1
            log.info("tcp.connection_failed", exc_info=error)


class _Connection(TCPServer):
    """Hypercorn's connection with our protocols, and an end that takes a bounded time."""

    async def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            async with TaskGroup(self.loop) as tasks:
                self._task_group = tasks
                protocol = self._make_protocol(tasks)
                self.protocol = protocol  # type: ignore[assignment]
                await protocol.initiate()
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass
        finally:
            await self._close()

    def _make_protocol(self, tasks: TaskGroup) -> _Protocol:
        sock = self.writer.get_extra_info("socket")
        tls = self.writer.get_extra_info("ssl_object")
        alpn = None if tls is None else tls.selected_alpn_protocol()
        kind = _Http2 if alpn == "h2" else _Http1
        return _Protocol(
            kind(
                self.app,
                self.config,
                self.context,
                tasks,
                ConnectionState(self.state),
                tls is not None,
                parse_socket_addr(sock.family, sock.getpeername()),
                parse_socket_addr(sock.family, sock.getsockname()),
                self.protocol_send,
            ),
            self.protocol_send,
        )

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE):
                await super()._close()
        except TimeoutError:
            self.writer.transport.abort()


class _Protocol:
    """HTTP/1.1 or HTTP/2 as ALPN chose it. Nobody here changes from one to the other later."""

    def __init__(
        self, protocol: H11Protocol | H2Protocol, send: Callable[[Event], Awaitable[None]]
    ) -> None:
        self._protocol = protocol
        self._send = send

    async def initiate(self) -> None:
        await self._protocol.initiate()

    async def handle(self, event: Event) -> None:
        try:
            await self._protocol.handle(event)
        except (H2CProtocolRequiredError, H2ProtocolAssumedError):
            await self._send(Closed())


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
