"""Any Centrifugo, at a URL: its WebSocket with the JSON protocol, one channel per pair.

It must let clients connect, subscribe and publish: `allow_anonymous_connect_without_token` and, for
the channels' namespace, `allow_subscribe_for_client`, `allow_publish_for_client` and the same for
anonymous ones; or TRADEWIND_BENCH_CENTRIFUGO_TOKEN holds a connection token that may. The server
runs wherever its URL leads; a forwarder in the far place stands for it there (see forward).
May import: base, process, certificate.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from bench.network import Network
from bench.peers import process
from bench.peers.base import PYTHON_WORKER, Line, PeerError, Side, Site
from bench.peers.certificate import trusting_all

PORT = 8446
URL = "TRADEWIND_BENCH_CENTRIFUGO"
"""Environment variable: for example ws://127.0.0.1:8000/connection/websocket."""
TOKEN = "TRADEWIND_BENCH_CENTRIFUGO_TOKEN"


class _Line:
    """A `Line` in a channel. Commands are numbered; an empty push is a ping, answered alike."""

    def __init__(self, socket: ClientConnection, channel: str, tasks: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._channel = channel
        self._tasks = tasks
        self._ids = count(1)

    async def join(self) -> None:
        """Connect and subscribe. Raises PeerError."""
        token = os.environ.get(TOKEN)
        await self._ask("connect", {} if token is None else {"token": token})
        await self._ask("subscribe", {"channel": self._channel})

    def send(self, text: str) -> None:
        self._tasks.create_task(
            self._say("publish", {"channel": self._channel, "data": {"text": text}})
        )

    async def texts(self) -> AsyncIterator[str]:
        async for message in self._socket:
            for line in str(message).splitlines():
                if line == "{}":
                    await self._socket.send("{}")
                elif (publication := json.loads(line).get("push", {}).get("pub")) is not None:
                    yield str(publication["data"]["text"])

    async def _say(self, method: str, params: dict[str, Any]) -> int:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, method: params}))
        return number

    async def _ask(self, method: str, params: dict[str, Any]) -> None:
        number = await self._say(method, params)
        async for message in self._socket:
            for line in str(message).splitlines():
                answer = json.loads(line)
                if answer.get("id") != number:
                    continue
                if "error" in answer:
                    raise PeerError(f"Centrifugo refused to {method}: {answer['error']}")
                return


class Centrifugo:
    """A `Peer`."""

    name = "centrifugo"
    about = "a Centrifugo of one's own, WebSocket and JSON, BBR at both ends of the long link"
    congestion: str | None = "bbr"

    @asynccontextmanager
    async def serve(self, network: Network, folder: Path, sessions: int) -> AsyncIterator[Site]:
        url = urlsplit(os.environ.get(URL, ""))
        if url.scheme not in ("ws", "wss") or not url.hostname:
            raise PeerError(f"set {URL} to the WebSocket URL of a Centrifugo to measure it")
        port = url.port or (443 if url.scheme == "wss" else 80)
        argv = (str(PORT), f"/proc/{os.getpid()}/ns/net", url.hostname, str(port))
        command = (sys.executable, "-m", "bench.peers.forward", *argv)
        async with process.running(network.server, folder / "log", PORT, *command):
            extra = {"scheme": url.scheme, "path": url.path}
            yield Site(network.server.address, PORT, extra)

    def worker(self) -> tuple[str, ...]:
        return PYTHON_WORKER

    @asynccontextmanager
    async def line(self, site: Site, side: Side, number: int) -> AsyncIterator[Line]:
        scheme = site.extra["scheme"]
        url = f"{scheme}://{site.host}:{site.port}{site.extra['path']}"
        secure = trusting_all() if scheme == "wss" else None
        async with (
            connect(url, ssl=secure, compression=None, proxy=None, open_timeout=30.0) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            line = _Line(socket, f"bench-{number}", tasks)
            await line.join()
            yield line
