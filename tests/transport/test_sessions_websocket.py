"""The session suite over WebSockets on TCP, through the real server, and what only they can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.transport.support.http2 import connect_http2
from tests.transport.support.stack import Stack
from tests.transport.support.stack_suite import WebSocketSuite
from transport.client import Trust, dial
from transport.driver import Driver
from transport.errors import CloseCode
from transport.session import SessionInfo, TransportKind
from transport.wire.machine import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def dial_http2(url: str, *, trust: Trust, origin: str | None = None) -> AsyncIterator[Driver]:
    """What `transport.client.dial` is for the transports that clients speak."""
    carrier = await connect_http2(url, trust, origin)
    kind = TransportKind.WEBSOCKET_H2
    info = SessionInfo(uuid4(), kind, ("localhost", 0), origin, "/v1/live")
    session = Driver(carrier, info, Role.CLIENT)
    running = asyncio.ensure_future(session.run())
    try:
        yield session
    finally:
        session.close(CloseCode.NORMAL)
        await running


@asynccontextmanager
async def dial_http1(url: str, *, trust: Trust, origin: str | None = None) -> AsyncIterator[Driver]:
    async with dial(url, TransportKind.WEBSOCKET_H1, trust=trust, origin=origin) as session:
        yield session


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
