"""The UDP side of a server: HTTP/3 and sessions without it, served by an ASGI application.

What holds always: what holds of a `Door`; the application's calls run among the tasks of the
server, and one that fails ends no other.
May import: door, h3, native, hyper, tls, asgi.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from transport.asgi import App
from transport.hyper import hypercorn_config
from transport.quic.admission import Limits
from transport.quic.aio.configuration import ALPN, NATIVE_ALPN, configuration
from transport.quic.aio.handshake import Tickets
from transport.quic.aio.http3 import H3_NO_ERROR
from transport.quic.door import Door, normalise
from transport.quic.h3 import Http3Server
from transport.quic.native import NativeServer
from transport.quic.peer import Peer
from transport.quic.qlog import Qlog
from transport.quic.steering import Slot
from transport.quic.tickets import MemoryTickets
from transport.tls import Certificates

log = structlog.get_logger("tradewind.quic")


class Endpoint(Door):
    """Accepts QUIC connections and serves `app` on them."""

    def __init__(
        self,
        app: App,
        certificates: Certificates,
        tasks: asyncio.TaskGroup,
        state: dict[str, Any],
        *,
        limits: Limits | None = None,
        slot: Slot | None = None,
        secret: bytes | None = None,
        tickets: Tickets | None = None,
        qlog: Qlog | None = None,
    ) -> None:
        super().__init__(
            configuration(is_client=False, alpn=(ALPN, NATIVE_ALPN)),
            certificates.apply_to,
            limits=limits,
            slot=slot,
            secret=secret,
            tickets=MemoryTickets() if tickets is None else tickets,
            qlog=qlog,
        )
        self._app = app
        self._tasks = tasks
        self._state = state
        self._config = hypercorn_config(None)
        self._servers: dict[Peer, Http3Server | NativeServer] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def stop(self, grace: float) -> None:
        """Take no more; tell everybody; wait at most `grace` for the application; then cut."""
        self.refuse()
        for server in list(self._servers.values()):
            server.go_away()
        await self._idle(grace)
        await self.close(H3_NO_ERROR, "going away")
        for task in list(self._running):
            task.cancel()

    def stats(self) -> dict[str, int]:
        """Counters and gauges."""
        return super().stats() | {"quic_requests": len(self._running)}

    def gone(self, peer: Peer) -> None:
        """Nothing is left of the connection."""
        super().gone(peer)
        self._servers.pop(peer, None)

    def welcome(self, peer: Peer, address: Any, protocol: str | None) -> bool:
        """The handshake has come so far that it is known what is spoken; whether we speak it."""
        client, here = normalise(address), self._server_address
        server: Http3Server | NativeServer
        if protocol == ALPN:
            server = Http3Server(
                self._app, peer, self.spawn, self._config, self._state, client=client, server=here
            )
        elif protocol == NATIVE_ALPN:
            server = NativeServer(
                self._app, peer, self.spawn, self._state, client=client, server=here
            )
        else:
            return False
        self._servers[peer] = server
        peer.handler = server
        return True

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run an application's call among the tasks of the server."""
        task = self._tasks.create_task(_guarded(coroutine))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _idle(self, grace: float) -> None:
        """Return when no request runs any more, or when the time is up."""
        deadline = asyncio.get_running_loop().time() + grace
        while self._running:
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(0.02)


async def _guarded(coroutine: Coroutine[Any, Any, None]) -> None:
    # An exception that got here would end the task group, and with it the whole server.
    try:
        await coroutine
    except Exception as error:
        log.error("request.failed", exc_info=error)
