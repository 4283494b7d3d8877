"""A plain server and client on the library `websockets`: a relay without a store.

As its documentation advises for latency: no compression for small messages; TCP_NODELAY, which
asyncio sets by itself. It answers nothing to a sender and keeps nothing, which is in its favour.
May import: base, process; transport's certificates.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.network import Network
from bench.peers import process
from bench.peers.base import PYTHON_WORKER, Line, Side, Site
from bench.peers.certificate import certificate, trusting_all

PORT = 8444


class _Line:
    """A `Line` over a WebSocket of the library. It sends in a task, as `send` is a coroutine."""

    def __init__(self, socket: ClientConnection, tasks: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._tasks = tasks

    def send(self, text: str) -> None:
        self._tasks.create_task(self._socket.send(text))

    async def texts(self) -> AsyncIterator[str]:
        async for message in self._socket:
            assert isinstance(message, str)
            yield message


class Plain:
    """A `Peer`."""

    def __init__(self, congestion: str) -> None:
        self.name = "websockets" if congestion == "bbr" else f"websockets-{congestion}"
        self.about = (
            f"the library websockets {version('websockets')}, TLS 1.3 and TCP, "
            f"{congestion.upper()} at both ends; a relay without a store"
        )
        self.congestion: str | None = congestion

    @asynccontextmanager
    async def serve(self, network: Network, folder: Path, sessions: int) -> AsyncIterator[Site]:
        chain, key = certificate(folder)
        host = network.server.address
        argv = [sys.executable, "-m", "bench.peers.plain", host, str(PORT), str(chain), str(key)]
        async with process.running(network.server, folder / "log", PORT, *argv):
            yield Site(host, PORT)

    def worker(self) -> tuple[str, ...]:
        return PYTHON_WORKER

    @asynccontextmanager
    async def line(self, site: Site, side: Side, number: int) -> AsyncIterator[Line]:
        url = f"wss://{site.host}:{site.port}/{number}"
        options = {"compression": None, "proxy": None, "open_timeout": 30.0}
        async with (
            connect(url, ssl=trusting_all(), **options) as socket,  # type: ignore[arg-type]
            asyncio.TaskGroup() as tasks,
        ):
            yield _Line(socket, tasks)


async def _relay(host: str, port: int, chain: str, key: str) -> None:
    """The server: what somebody sends goes to everybody else of the same path."""
    rooms: dict[str, set[ServerConnection]] = {}

    async def room(socket: ServerConnection) -> None:
        assert socket.request is not None
        members = rooms.setdefault(socket.request.path, set())
        members.add(socket)
        try:
            async for message in socket:
                broadcast(members - {socket}, message)
        finally:
            members.discard(socket)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(chain, key)
    async with serve(room, host, port, ssl=context, compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_relay(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
