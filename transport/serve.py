"""Serve one ASGI application on one port number, UDP and TCP, and optionally on a loopback port.

    certificates = Certificates.development(folder)
    async with serving(app, ServeConfig(certificates=certificates)) as listening:
        print(listening.port, listening.loopback_port)
        await stop.wait()

What holds always: leaving the block stops accepting at once, tells every client, gives the
application `grace` seconds to finish and then cuts; after it nothing of this module runs any more.
ASGI's lifespan is the caller's affair: no scope "lifespan" is sent.
May import: everything below: quic, tcp, accept, sockets, tls, asgi.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from msgspec import Struct, field

from transport.accept import Gate
from transport.asgi import App
from transport.quic.admission import Limits
from transport.quic.aio.handshake import Tickets
from transport.quic.endpoint import Endpoint
from transport.quic.insight import Histogram
from transport.quic.qlog import Qlog
from transport.sockets import Sockets, open_sockets
from transport.tcp.server import TcpServer
from transport.tls import Certificates

log = structlog.get_logger("tradewind.serve")


class ServeConfig(Struct, frozen=True, kw_only=True):
    """How to listen. Everything but the certificates has a default.

    `gate` lets in sessions that come as WebSockets over HTTP/1.1, which then cost less than
    through the application; None: they go to the application like all others.

    `host` None listens on every address, IPv6 and IPv4 where both exist. `loopback_port` adds a
    plain HTTP listener on 127.0.0.1 (0 picks a port; None: there is none). `state` is copied into
    the `state` of every scope.

    `secret` is what the workers of a port share, and the process after a restart: what clients are
    asked to prove or told to forget holds for all of them (quic/keys.py). None makes one for this
    process. `tickets` keeps session tickets; None keeps them in this process. `qlog` says which
    connections are traced; None: none.
    """

    certificates: Certificates
    gate: Gate | None = None
    host: str | None = None
    port: int = 8443
    loopback_port: int | None = None
    grace: float = 3.0
    quic_limits: Limits = Limits()
    secret: bytes | None = None
    tickets: Tickets | None = None
    qlog: Qlog | None = None
    max_tcp_connections: int = 100_000
    state: Mapping[str, Any] = field(default_factory=dict)


class Listening(Struct, frozen=True):
    """Where we listen; `stats()` counts what goes on."""

    host: str
    port: int
    loopback_port: int | None
    certificates: Certificates
    endpoint: Endpoint
    tcp: TcpServer

    def stats(self) -> dict[str, int]:
        """Counters and gauges of both sides, for metrics."""
        return {**self.endpoint.stats(), **self.tcp.stats()}

    def histograms(self) -> Mapping[str, Histogram]:
        """What QUIC connections were like."""
        return self.endpoint.histograms()

    def hand_over(self) -> None:
        """Accept no more TCP: others listen on the same port. New UDP is steered to them."""
        self.tcp.stop()


@asynccontextmanager
async def serving(
    app: App, config: ServeConfig, sockets: Sockets | None = None
) -> AsyncIterator[Listening]:
    """Listen until the block is left, on `sockets` or on new ones as the config says.

    Raises OSError when a port is taken. The sockets are closed with the block.
    """
    if sockets is None:
        sockets = open_sockets(config.host, config.port, config.loopback_port)
    try:
        async with _started(app, config, sockets) as listening:
            yield listening
    finally:
        sockets.close()


@asynccontextmanager
async def _started(app: App, config: ServeConfig, sockets: Sockets) -> AsyncIterator[Listening]:
    udp, loopback = sockets.udp, sockets.loopback
    port = udp.getsockname()[1]
    state = dict(config.state)
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(config.certificates.watch())
        endpoint = Endpoint(
            app,
            config.certificates,
            tasks,
            state,
            limits=config.quic_limits,
            slot=sockets.slot,
            secret=config.secret,
            tickets=config.tickets,
            qlog=config.qlog,
        )
        server = TcpServer(
            app, config.gate, tasks, state, port, max_connections=config.max_tcp_connections
        )
        try:
            await endpoint.start(udp)
            server.start(sockets.tcp, config.certificates)
            if loopback is not None:
                server.start(loopback, None)
            listening = Listening(
                host=udp.getsockname()[0],
                port=port,
                loopback_port=None if loopback is None else loopback.getsockname()[1],
                certificates=config.certificates,
                endpoint=endpoint,
                tcp=server,
            )
            log.info("listening", port=port, loopback_port=listening.loopback_port)
            yield listening
        except Exception as error:
            failure = error  # the caller's own, not to be wrapped in a group
        finally:
            watcher.cancel()
            await asyncio.gather(endpoint.stop(config.grace), server.close(config.grace))
    if failure is not None:
        raise failure
