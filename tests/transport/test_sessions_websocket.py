"""The session suite over WebSockets on TCP, through the real server, and what only they can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conformance.session_suite import PATIENCE, Maker, Pair, SessionSuite, until_closed
from tests.transport.support.http2 import connect_http2
from tests.transport.support.stack import ORIGIN, Stack, running
from transport.client import DialRefused, Trust, dial
from transport.driver import Driver
from transport.errors import CloseCode
from transport.session import SessionInfo, TransportKind
from transport.wire.machine import Role

Dial = Callable[..., AbstractAsyncContextManager[Driver]]


@asynccontextmanager
async def dial_http2(url: str, *, trust: Trust, origin: str | None = None) -> AsyncIterator[Driver]:
    """What `transport.client.dial` is for the transports that clients speak."""
    carrier = await connect_http2(url, trust, origin)
    kind = TransportKind.WEBSOCKET_H2
    info = SessionInfo(uuid4(), kind, ("localhost", 0), origin, "/v1/live")
    session = Driver(carrier, info, Role.CLIENT)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        try:
            yield session
        finally:
            session.close(CloseCode.NORMAL)


@asynccontextmanager
async def dial_http1(url: str, *, trust: Trust, origin: str | None = None) -> AsyncIterator[Driver]:
    async with dial(url, TransportKind.WEBSOCKET_H1, trust=trust, origin=origin) as session:
        yield session


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
async def stack(certificates: Path) -> AsyncIterator[Stack]:
    async with running(certificates) as stack:
        yield stack


class WebSocketSuite(SessionSuite):
    """Both versions of HTTP on TCP."""

    kind: TransportKind
    dial: Dial

    @pytest.fixture
    def pairs(self, stack: Stack) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[Pair]:
            async with type(self).dial(stack.url, trust=stack.trust) as client:
                async with asyncio.timeout(PATIENCE):
                    server = await stack.sessions.get()
                yield Pair(client, server)

        return make

    async def test_what_is_known_of_the_session(self, stack: Stack) -> None:
        async with type(self).dial(stack.url, trust=stack.trust, origin=ORIGIN):
            info = (await stack.sessions.get()).info
            assert info.transport is self.kind
            assert info.origin == ORIGIN
            assert info.path == "/v1/live"
            assert info.peer[0] == "127.0.0.1"
            assert info.secure

    async def test_foreign_origin(self, stack: Stack) -> None:
        with pytest.raises(DialRefused) as caught:
            async with type(self).dial(stack.url, trust=stack.trust, origin="https://evil.example"):
                pass
        assert caught.value.status == 403
        assert stack.sessions.empty()

    async def test_wrong_path(self, stack: Stack) -> None:
        url = stack.url.replace("/v1/live", "/v1/other")
        with pytest.raises(DialRefused) as caught:
            async with type(self).dial(url, trust=stack.trust):
                pass
        assert caught.value.status == 404
        assert stack.sessions.empty()

    async def test_text_message(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await self.send_text(pair.client)
            _, closed = await until_closed(pair.server)
            assert (closed.code, closed.remote) == (CloseCode.PROTOCOL_ERROR, False)
            _, closed = await until_closed(pair.client)
            assert (closed.code, closed.remote) == (CloseCode.PROTOCOL_ERROR, True)

    async def send_text(self, session: Driver) -> None:
        raise NotImplementedError


class TestHttp1(WebSocketSuite):
    kind = TransportKind.WEBSOCKET_H1
    dial = staticmethod(dial_http1)

    async def send_text(self, session: Driver) -> None:
        await session._carrier._websocket.send("text")

    async def test_plain_on_loopback(self, stack: Stack) -> None:
        async with dial_http1(stack.plain_url, trust=Trust()):
            assert not (await stack.sessions.get()).info.secure


class TestHttp2(WebSocketSuite):
    kind = TransportKind.WEBSOCKET_H2
    dial = staticmethod(dial_http2)

    async def send_text(self, session: Driver) -> None:
        await session._carrier.send_text("text")
