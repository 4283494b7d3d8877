"""A whole server on a real SQLite file, and people who connect to it in memory."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest

from server import secret
from server.app import Parts, building, unix_ms
from server.config import Settings
from server.domain.people import Caller, Role
from server.service.tokens import Tokens, mark
from storage.base import Agent, Shop, Visitor
from storage.open import Storage
from transport.errors import SessionClosed
from transport.memory import Network, memory_pair
from transport.session import Session
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import (
    VERSION,
    Accepted,
    Call,
    Deliver,
    Frame,
    Hello,
    Position,
    Refused,
    Result,
    Send,
    Welcome,
)

ORIGIN = "https://shop.example"
PATIENCE = 5.0
"""Seconds after which a test gives up waiting for a frame."""
F = TypeVar("F", bound=Frame)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRADEWIND_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, port=0, http_port=0)


class Peer:
    """One person's end of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: list[Frame] = []
        self._calls = 0

    async def next(self) -> Frame:
        async with asyncio.timeout(PATIENCE):
            frame = await self.session.receive()
        self.seen.append(frame)
        return frame

    async def until(self, kind: type[F]) -> F:
        """The next frame of a type; the others are kept in `seen`."""
        while not isinstance(frame := await self.next(), kind):
            pass
        return frame

    async def deliveries(self, count: int) -> list[Deliver]:
        return [await self.until(Deliver) for _ in range(count)]

    async def closed(self) -> int:
        """The close code, after whatever else comes."""
        try:
            while True:
                await self.next()
        except SessionClosed as end:
            return end.code

    def post(
        self, conversation: UUID, kind: str = "message", client_id: UUID | None = None, **body: Any
    ) -> UUID:
        client_id = client_id or uuid7()
        self.session.send(Send(client_id, conversation, kind, pack(body)))
        return client_id

    async def send(
        self, conversation: UUID, kind: str = "message", client_id: UUID | None = None, **body: Any
    ) -> Accepted:
        """Send and wait for `accepted`."""
        client_id = self.post(conversation, kind, client_id, **body)
        answer = await self.answer()
        assert isinstance(answer, Accepted), answer
        assert answer.client_id == client_id
        return answer

    async def answer(self) -> Accepted | Refused:
        while not isinstance(frame := await self.next(), Accepted | Refused):
            pass
        return frame

    async def refusal(self) -> str:
        answer = await self.answer()
        assert isinstance(answer, Refused), answer
        return answer.code

    async def ask(self, method: str, **params: Any) -> Any:
        """Call and return the value, or the code of the refusal."""
        self._calls += 1
        self.session.send(Call(self._calls, method, pack(params)))
        while not isinstance(frame := await self.next(), Result | Refused):
            pass
        if isinstance(frame, Refused):
            assert frame.call == self._calls
            return frame.code
        assert frame.id == self._calls
        return msgspec.msgpack.decode(frame.value)


class Site:
    """A server, a shop, and ways to connect."""

    def __init__(self, parts: Parts, tasks: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
        self.parts = parts
        self.tokens = Tokens(secret.load(parts.settings))
        self._tasks = tasks
        self._stack = stack

    async def populate(self) -> None:
        directory = self.parts.storage.directory
        await directory.put_shop(Shop("shop", "A Shop", (ORIGIN,)))
        await directory.put_shop(Shop("other", "Another Shop", ("https://other.example",)))
        self.agent = await self.add_agent("shop", "ann@shop.example")
        self.visitor = await self.add_visitor("shop")

    async def add_agent(self, shop: str, email: str) -> Caller:
        id = uuid7()
        await self.parts.storage.directory.put_agent(Agent(id, shop, email, email[:3], "hash"))
        return Caller(Role.AGENT, id, shop)

    async def add_visitor(self, shop: str) -> Caller:
        id = uuid7()
        await self.parts.storage.directory.put_visitor(Visitor(id, shop, created_at=unix_ms()))
        return Caller(Role.VISITOR, id, shop)

    def token(self, caller: Caller, lifetime: int = 3600) -> str:
        password = mark("hash") if caller.role is Role.AGENT else ""
        return self.tokens.sign(caller, unix_ms() // 1000, lifetime, password)

    async def dial(self, origin: str | None = None, network: Network | None = None) -> Peer:
        """A session that has not said hello."""
        client, server = await self._stack.enter_async_context(memory_pair(network))
        server._info = msgspec.structs.replace(server.info, origin=origin)
        self._tasks.create_task(self.parts.gateway.serve(server))
        return Peer(client)

    async def greet(
        self, token: str, resume: tuple[Position, ...] = (), *, version: int = VERSION, **dial: Any
    ) -> Peer:
        """A session that has said hello, and has not been answered."""
        peer = await self.dial(**dial)
        peer.session.send(Hello(version, token, resume))
        return peer

    async def join(self, caller: Caller, resume: tuple[Position, ...] = (), **dial: Any) -> Peer:
        """A welcomed session."""
        peer = await self.greet(self.token(caller), resume, **dial)
        peer.welcome = await peer.until(Welcome)  # type: ignore[attr-defined]
        return peer


@asynccontextmanager
async def open_site(settings: Settings, storage: Storage | None = None) -> AsyncIterator[Site]:
    async with (
        building(settings, storage) as parts,
        asyncio.TaskGroup() as tasks,
        AsyncExitStack() as stack,
    ):
        site = Site(parts, tasks, stack)
        await site.populate()
        yield site
        await parts.gateway.drain(0)


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with open_site(settings) as site:
        yield site
