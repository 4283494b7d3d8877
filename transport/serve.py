"""Serve one ASGI application on one port number, UDP and TCP, and optionally on a loopback port.

    certificates = Certificates.development(folder)
    async with serving(app, ServeConfig(certificates=certificates)) as listening:
        print(listening.port, listening.loopback_port)
        await stop.wait()

What holds always: UDP and TCP have the same port number, also when it is picked (port 0); leaving
the block stops accepting at once, tells every client, gives the application `grace` seconds to
finish and then cuts; after it nothing of this module runs any more. ASGI's lifespan is the caller's
affair: no scope "lifespan" is sent.
May import: everything below: quic, tcp, tls, asgi.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from msgspec import Struct, field

from transport.asgi import App
from transport.quic.endpoint import Endpoint
from transport.tcp import TcpServer
from transport.tls import Certificates

PORT_TRIES = 20
"""How often a free port is picked for both UDP and TCP before giving up."""

log = structlog.get_logger("tradewind.serve")


class ServeConfig(Struct, frozen=True, kw_only=True):
    """How to listen. Everything but the certificates has a default.

    `host` None listens on every address, IPv6 and IPv4 where both exist. `loopback_port` adds a
    plain HTTP listener on 127.0.0.1 (0 picks a port; None: there is none). `state` is copied into
    the `state` of every scope.
    """

    certificates: Certificates
    host: str | None = None
    port: int = 8443
    loopback_port: int | None = None
    grace: float = 3.0
    max_quic_connections: int = 100_000
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


@asynccontextmanager
async def serving(app: App, config: ServeConfig) -> AsyncIterator[Listening]:
    """Listen until the block is left. Raises OSError when a port is taken."""
    udp, tcp = _bind_both(config.host, config.port)
    sockets = [udp, tcp]
    try:
        loopback = None
        if config.loopback_port is not None:
            loopback = _bind(socket.SOCK_STREAM, "127.0.0.1", config.loopback_port)
            sockets.append(loopback)
        async with _started(app, config, udp, tcp, loopback) as listening:
            yield listening
    finally:
        for sock in sockets:
            sock.close()


@asynccontextmanager
async def _started(
    app: App,
    config: ServeConfig,
    udp: socket.socket,
    tcp: socket.socket,
    loopback: socket.socket | None,
) -> AsyncIterator[Listening]:
    port = udp.getsockname()[1]
    state = dict(config.state)
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(config.certificates.watch())
        endpoint = Endpoint(
            app, config.certificates, tasks, state, max_connections=config.max_quic_connections
        )
        server = TcpServer(app, tasks, state, port, max_connections=config.max_tcp_connections)
        try:
            await endpoint.start(udp)
            await server.start(tcp, config.certificates.ssl_context)
            if loopback is not None:
                await server.start(loopback, None)
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
            await asyncio.gather(endpoint.close(config.grace), server.close(config.grace))
    if failure is not None:
        raise failure


def _bind_both(host: str | None, port: int) -> tuple[socket.socket, socket.socket]:
    for _ in range(PORT_TRIES):
        tcp = _bind(socket.SOCK_STREAM, host, port)
        try:
            return _bind(socket.SOCK_DGRAM, host, tcp.getsockname()[1]), tcp
        except OSError as error:
            tcp.close()
            if port or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "No port number is free for both UDP and TCP.")


def _bind(kind: socket.SocketKind, host: str | None, port: int) -> socket.socket:
    family, address = _address(host)
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            # A group of one so far; workers will share it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host is None else 1)
        sock.setblocking(False)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _address(host: str | None) -> tuple[socket.AddressFamily, str]:
    if host is not None:
        info = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        return info[0], str(info[4][0])
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return socket.AF_INET, "0.0.0.0"
    return socket.AF_INET6, "::"
