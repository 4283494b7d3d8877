"""`tradewind serve --workers N` as real processes, and people who talk over it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prometheus_client.parser import text_string_to_metric_families

from transport.client import Client, Connected, Settings, Trust, dial
from transport.client.tickets import TicketCache
from transport.session import Session, TransportKind
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import (
    VERSION,
    Deliver,
    Frame,
    Hello,
    Position,
    Send,
    Welcome,
)

MAIN = "from server.cli import main; main()"
PATIENCE = 30.0
"""Seconds after which a test that waits has failed, on a busy machine."""
QUIC, TCP = TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H1


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what tells nobody when it comes true."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Fleet:
    """The processes, by what they log."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.said: list[dict[str, Any]] = []
        self._reads = threading.Thread(target=self._read, daemon=True)
        self._reads.start()

    def start(self) -> Fleet:
        [serving] = self.logged("serving")
        self.port, self.plain_port = serving["port"], serving["loopback_port"]
        return self

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/v1/live"

    def logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until this has been logged so often; the lines."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = [said for said in self.said if said["event"] == event]
            if len(found) >= count:
                return found
            assert self._reads.is_alive() or self.process.poll() is None, self.said
            time.sleep(0.01)
        raise AssertionError(f"{event} was not logged: {self.said}")

    def count(self, event: str) -> int:
        return sum(said["event"] == event for said in self.said)

    def pid(self, name: str) -> int:
        """The newest process of that name."""
        started = [s for s in self.said if s["event"] == "process.started" and s["name"] == name]
        number: int = started[-1]["pid"]
        return number

    def kill(self, name: str) -> None:
        """End a process without a word, and wait until another one serves in its place."""
        before = self._ready(name)
        os.kill(self.pid(name), signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while self._ready(name) == before:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)

    def _ready(self, name: str) -> int:
        return sum(s["event"] == "process.ready" and s["name"] == name for s in self.said)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and text, over the plain listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=10)
        headers = {"Host": f"localhost:{self.plain_port}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def visitor(self) -> str:
        """A new visitor's token."""
        token: str = json.loads(self.ask("POST", "/v1/visitor/session", {"shop": "demo"})[1])[
            "token"
        ]
        return token

    def agent(self) -> str:
        """The demo agent's token."""
        login = json.loads(self.ask("GET", "/v1/demo")[1])
        body = {"email": login["email"], "password": login["password"]}
        token: str = json.loads(self.ask("POST", "/v1/agent/session", body)[1])["token"]
        return token

    def sessions(self) -> dict[str, int]:
        """How many sessions each worker has."""
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(self.ask("GET", "/metrics")[1]):
            if family.name == "tradewind_sessions":
                for sample in family.samples:
                    found[sample.labels["worker"]] += int(sample.value)
        return dict(found)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("{"):
                self.said.append(json.loads(line))


@contextmanager
def started(folder: Path, workers: int = 2, *flags: str, **env: str) -> Iterator[Fleet]:
    command = [sys.executable, "-c", MAIN, "serve", "--demo", "--workers", str(workers)]
    command += ["--data-dir", str(folder), "--port", "0", "--http-port", "0"]
    process = subprocess.Popen(
        [*command, "--log-format", "json", *flags],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    fleet = Fleet(process, folder)
    try:
        yield fleet.start()
    finally:
        if process.poll() is None:
            process.kill()  # The others leave by themselves when their parent has gone.
        process.wait()
        fleet._reads.join(PATIENCE)
        assert process.stderr is not None
        process.stderr.close()


class Person:
    """A client that notes everything it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.connections = 0
        self.early = 0

    async def say(self, conversation: UUID, text: str) -> int:
        """Send and wait for `accepted`; the seq."""
        async with asyncio.timeout(PATIENCE):
            accepted = await self.client.send(conversation, "message", {"text": text})
        return accepted.seq


@asynccontextmanager
async def person(
    fleet: Fleet, token: str, kind: TransportKind, tickets: TicketCache | None = None
) -> AsyncIterator[Person]:
    async def same(refused: bool) -> str:
        return token

    def connected(how: Connected) -> None:
        who.connections += 1
        who.early += how.early

    trust = Trust(insecure=True)
    settings = Settings(url=fleet.url, transports=(kind,), trust=trust, tickets=tickets)
    who = Person(Client(settings, same, on_connected=connected))
    async with who.client:
        async with asyncio.timeout(PATIENCE):
            await who.client.ready()
        yield who


class Wire:
    """A raw session: every frame in the order in which it came."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.frames: list[Frame] = []

    def delivered(self, conversation: UUID) -> list[int]:
        return [
            f.seq for f in self.frames if isinstance(f, Deliver) and f.conversation == conversation
        ]

    def say(self, conversation: UUID, text: str) -> None:
        self.session.send(Send(uuid7(), conversation, "message", pack({"text": text})))

    async def listen(self) -> None:
        while True:
            self.frames.append(await self.session.receive())

    async def until(self, kind: type[Frame], count: int = 1) -> None:
        await until(lambda: sum(isinstance(f, kind) for f in self.frames) >= count)


@asynccontextmanager
async def wire(
    fleet: Fleet, token: str, kind: TransportKind, resume: tuple[Position, ...] = ()
) -> AsyncIterator[Wire]:
    """A welcomed raw session."""
    async with dial(fleet.url, kind, trust=Trust(insecure=True)) as session:
        session.send(Hello(VERSION, token, resume))
        wire = Wire(session)
        listens = asyncio.ensure_future(wire.listen())
        try:
            await wire.until(Welcome)
            yield wire
        finally:
            listens.cancel()
            await asyncio.wait([listens])
            if not listens.cancelled():
                listens.exception()


async def history(fleet: Fleet, token: str, conversation: UUID, upto: int) -> list[Deliver]:
    """The log of a conversation as a newcomer gets it."""
    async with wire(fleet, token, TCP, (Position(conversation, 0, 0),)) as newcomer:
        await newcomer.until(Deliver, upto)
        return [f for f in newcomer.frames if isinstance(f, Deliver)]
