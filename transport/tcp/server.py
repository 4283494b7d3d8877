"""The TCP side: it accepts, hears how a connection begins, and hands it to who serves it.

    Listener ─ Link ─ Lobby ─┬─ a session's WebSocket over HTTP/1.1 ─ gate ─ LinkCarrier, Driver
                             └─ anything else ─ HttpConnection (Hypercorn) ─ the ASGI application

What holds always: TLS 1.3 only, or plain on loopback; what goes wrong on one connection ends that
connection only, and a client that fails the handshake is no error of ours; after `close` nothing is
left, `grace` seconds later at the latest. Bound: over `max_connections` a new connection is closed
before a word is said.

May import: the rest of this package, accept, driver, hyper, asgi, tls.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from transport.accept import LIVE_PATH, Gate, Refused, Serve, admit
from transport.asgi import App
from transport.driver import Driver
from transport.hyper import hypercorn_config
from transport.tcp.greeting import Lobby
from transport.tcp.head import Head, Verdict, refused
from transport.tcp.http import HttpConnection
from transport.tcp.link import Link
from transport.tcp.listener import Listener
from transport.tcp.websocket import LinkCarrier
from transport.tls import Certificates
from transport.wire.machine import Role

COUNTERS = ("tcp_accepted", "tcp_refused", "tcp_failed")

log = structlog.get_logger("tradewind.tcp")


class TcpServer:
    """Serves `app`, and the sessions that `gate` lets in, on any number of listening sockets.

    Without a gate, WebSockets over HTTP/1.1 go to `app` as well.
    """

    def __init__(
        self,
        app: App,
        gate: Gate | None,
        tasks: asyncio.TaskGroup,
        state: dict[str, Any],
        quic_port: int,
        *,
        max_connections: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._app = app
        self._gate = gate
        self._group = tasks
        self._state = state
        self._max_connections = max_connections
        self._quic_port = quic_port
        self._context = WorkerContext(None)
        self._listeners: list[Listener] = []
        self._lobby = Lobby(self._loop, None if gate is None else LIVE_PATH)
        self._links: set[Link] = set()
        self._http: set[HttpConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = dict.fromkeys(COUNTERS, 0)
        self._quiet: asyncio.Future[None] | None = None
        """`close`, waiting until there are neither links nor tasks."""

    def start(self, sock: socket.socket, certificates: Certificates | None) -> None:
        """Listen on a bound socket, with TLS when there are certificates."""
        # Plain HTTP is for loopback, where HTTP/3 is not offered: no Alt-Svc.
        config = hypercorn_config(None if certificates is None else self._quic_port)
        taken = partial(self._taken, certificates, config)
        self._listeners.append(Listener(self._loop, sock, taken))

    def stop(self) -> None:
        """Take no more; what runs goes on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def close(self, grace: float) -> None:
        """Take no more, let what runs finish within `grace` seconds, then cut."""
        self.stop()
        await self._context.terminated.set()
        self._lobby.close()
        for connection in self._http:
            connection.leave()
        try:
            async with asyncio.timeout(grace):
                while self._links or self._tasks:
                    self._quiet = self._loop.create_future()
                    await self._quiet
        except TimeoutError:
            pass
        for link in tuple(self._links):
            link.abort()
        for task in self._tasks:
            task.cancel()

    def stats(self) -> dict[str, int]:
        """Counters and gauges."""
        return self._count | {
            "tcp_late": self._lobby.late,
            "tcp_greeting": len(self._lobby),
            "tcp_connections": len(self._links),
        }

    # A connection.

    def _taken(
        self,
        certificates: Certificates | None,
        config: Config,
        sock: socket.socket,
        peer: tuple[str, int],
    ) -> None:
        if len(self._links) >= self._max_connections:
            self._count["tcp_refused"] += 1
            sock.close()
            return
        self._count["tcp_accepted"] += 1
        try:
            if certificates is not None:
                sock = certificates.ssl_context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
            link = Link(self._loop, sock, peer, self._gone)
        except (OSError, ValueError):  # It left already, in the middle of a word or before one.
            sock.close()
            return
        self._links.add(link)
        self._lobby.enter(link, partial(self._heard, config))

    def _gone(self, link: Link) -> None:
        self._lobby.leave(link)
        self._links.discard(link)
        self._grows_quiet()

    def _heard(self, config: Config, link: Link, verdict: Head | Verdict, data: bytes) -> None:
        if isinstance(verdict, Head):
            link.pause()  # What comes after a request is not looked at before its answer.
            self._run(self._live(link, verdict))
        else:
            args = (self._app, config, self._context, self._state, link, data)
            link.owner = connection = HttpConnection(*args)
            self._run(self._serve(connection))

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(self._group.create_task(coroutine))

    def _done(self, error: Exception | None = None) -> None:
        """Last words of a task. (A callback for it would take more memory than this.)"""
        if error is not None:
            self._count["tcp_failed"] += 1
            log.info("tcp.connection_failed", exc_info=error)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.discard(task)
        self._grows_quiet()

    def _grows_quiet(self) -> None:
        quiet = self._quiet is not None and not (self._links or self._tasks)
        if quiet and self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    # Who serves it.

    async def _serve(self, connection: HttpConnection) -> None:
        failure = None
        self._http.add(connection)
        try:
            await connection.run()
        except Exception as error:
            failure = error
        finally:
            self._http.discard(connection)
            self._done(failure)

    async def _live(self, link: Link, opening: Head) -> None:
        failure = None
        try:
            admitted = await self._admit(link, opening)
            if admitted is not None:
                driver, serve = admitted
                del admitted, opening  # A session lives for hours; its request need not.
                await driver.run(serve)
        except Exception as error:
            failure = error
        finally:
            link.close()
            self._done(failure)

    async def _admit(self, link: Link, opening: Head) -> tuple[Driver, Serve] | None:
        """Ask the gate, and answer the request."""
        assert self._gate is not None
        scope = opening.scope(
            secure=link.tls, client=link.peer, server=link.local, state=dict(self._state)
        )
        answer = await admit(scope, self._gate)
        if isinstance(answer, Refused):
            link.write(refused(answer.status, answer.text, time.time()))
            return None
        info, serve = answer
        carrier = LinkCarrier(link)
        link.owner = carrier
        link.write(opening.accepted())
        carrier.received(opening.rest)
        link.resume()
        return Driver(carrier, info, Role.SERVER), serve
