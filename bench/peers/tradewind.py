"""This server, over each of its transports.

The server is as shipped, with a store on disk. Each pair has a shop of its own with one agent, so
that nobody hears of anybody else; shops and agents are put into the store before it starts. Agents
sit near the server and always come over WebSocket; what varies is the shopper's transport.
May import: base, process; transport's client; storage.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from argon2 import PasswordHasher

from bench.network import Network
from bench.peers import process
from bench.peers.base import PYTHON_WORKER, Line, PeerError, Side, Site
from storage.base import Agent, Shop
from storage.open import open_storage
from transport.client import Client, Entries, Settings, Trust
from transport.session import TransportKind
from transport.uuid7 import uuid7
from transport.wire.frames import Accepted

PORT = 8443
ATTEMPTS = 5
"""Times that REST is asked for a token: over bursty loss TCP may be too slow for the server."""
PASSWORD = "a long road to the sea"
_SERVE = "from server.cli import main; main()"


class _Line:
    """A `Line` over a `Client`. The agent learns which conversation it is in by being greeted."""

    def __init__(self, client: Client, conversation: UUID | None) -> None:
        self._client = client
        self._conversation = conversation
        self._entries: Entries = client.entries()

    def send(self, text: str) -> None:
        assert self._conversation is not None, "nobody has greeted yet"
        sent = self._client.send(self._conversation, "message", {"text": text})
        sent.add_done_callback(_settled)

    async def texts(self) -> AsyncIterator[str]:
        async for entry in self._entries:
            self._conversation = entry.conversation
            if entry.kind == "message":
                yield msgspec.msgpack.decode(entry.body)["text"]


class Tradewind:
    """A `Peer`: this server with one of its transports."""

    def __init__(
        self,
        name: str,
        about: str,
        kind: TransportKind,
        *,
        datagrams: bool = True,
        congestion: str | None = None,
    ) -> None:
        self.name = name
        self.about = about
        self.congestion = congestion
        self._kind = kind
        self._datagrams = datagrams

    @asynccontextmanager
    async def serve(self, network: Network, folder: Path, sessions: int) -> AsyncIterator[Site]:
        data = folder / "data"
        data.mkdir()
        await _populate(data / "tradewind.db", sessions)
        host = network.server.address
        flags = ["--host", host, "--port", str(PORT), "--no-http", "--data-dir", str(data)]
        argv = [sys.executable, "-c", _SERVE, "serve", *flags, "--log-level", "warning"]
        async with process.running(network.server, folder / "log", PORT, *argv):
            yield Site(host, PORT)

    def worker(self) -> tuple[str, ...]:
        return PYTHON_WORKER

    @asynccontextmanager
    async def line(self, site: Site, side: Side, number: int) -> AsyncIterator[Line]:
        sign_in = _visitor if side == "shopper" else _agent
        token = await asyncio.to_thread(sign_in, site, number)

        async def same(refused: bool) -> str:
            return token

        settings = Settings(
            url=f"https://{site.host}:{site.port}/v1/live",
            transports=(self._kind if side == "shopper" else TransportKind.WEBSOCKET_H1,),
            head_start=None,
            trust=Trust(insecure=True),
            timeout=30.0,
            datagrams=self._datagrams,
        )
        async with Client(settings, same) as client:
            line = _Line(client, uuid7() if side == "shopper" else None)
            await client.ready()
            yield line


async def _populate(database: Path, shops: int) -> None:
    """A shop and an agent for each pair."""
    storage = open_storage(f"sqlite:///{database}")
    hashed = PasswordHasher().hash(PASSWORD)
    try:
        for number in range(shops):
            shop = _shop(number)
            await storage.directory.put_shop(Shop(shop, shop, ()))
            await storage.directory.put_agent(Agent(uuid7(), shop, _email(number), shop, hashed))
    finally:
        await storage.close()


def _shop(number: int) -> str:
    return f"bench-{number}"


def _email(number: int) -> str:
    return f"agent-{number}@bench.example"


def _visitor(site: Site, number: int) -> str:
    return _post(site, "/v1/visitor/session", {"shop": _shop(number)})


def _agent(site: Site, number: int) -> str:
    return _post(site, "/v1/agent/session", {"email": _email(number), "password": PASSWORD})


def _post(site: Site, path: str, body: dict[str, Any]) -> str:
    """The token that REST gives."""
    request = urllib.request.Request(
        f"https://{site.host}:{site.port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as response:
                return str(json.load(response)["token"])
        except OSError as error:
            failed = error
            time.sleep(0.5 * (attempt + 1))
    raise PeerError(f"no token from {path}: {failed}")


def _settled(sent: asyncio.Future[Accepted]) -> None:
    """What became of a message shows in who received it; here its error is only taken note of."""
    if not sent.cancelled():
        sent.exception()


HEDGED = Tradewind(
    "hedged",
    "this server, WebTransport: datagram copies, then the stream",
    TransportKind.WEBTRANSPORT,
)
STREAM = Tradewind(
    "stream",
    "this server, WebTransport without datagrams: the QUIC stream alone",
    TransportKind.WEBTRANSPORT,
    datagrams=False,
)
WEBSOCKET_H3 = Tradewind(
    "websocket-h3", "this server, WebSocket over HTTP/3", TransportKind.WEBSOCKET_H3
)
TCP_BBR = Tradewind(
    "tcp-bbr",
    "this server, WebSocket over TLS 1.3 and TCP, the kernel's BBR at both ends",
    TransportKind.WEBSOCKET_H1,
    congestion="bbr",
)
TCP_CUBIC = Tradewind(
    "tcp-cubic",
    "this server, WebSocket over TLS 1.3 and TCP, the kernel's CUBIC at both ends",
    TransportKind.WEBSOCKET_H1,
    congestion="cubic",
)
