"""The session suite over QUIC: WebTransport and WebSocket over HTTP/3, through the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.transport.support.stack_suite import StackSuite
from transport.client import Trust, dial
from transport.driver import Driver
from transport.session import TransportKind

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def dial_webtransport(
    url: str, *, trust: Trust, origin: str | None = None
) -> AsyncIterator[Driver]:
    async with dial(url, TransportKind.WEBTRANSPORT, trust=trust, origin=origin) as session:
        yield session


@asynccontextmanager
async def dial_http3(url: str, *, trust: Trust, origin: str | None = None) -> AsyncIterator[Driver]:
    async with dial(url, TransportKind.WEBSOCKET_H3, trust=trust, origin=origin) as session:
        yield session


class TestWebTransport(StackSuite):
    kind = TransportKind.WEBTRANSPORT
    dial = staticmethod(dial_webtransport)


class TestHttp3(StackSuite):
    kind = TransportKind.WEBSOCKET_H3
    dial = staticmethod(dial_http3)
