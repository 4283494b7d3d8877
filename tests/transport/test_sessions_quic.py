"""The session suite over QUIC: WebTransport and WebSocket over HTTP/3, through the real server."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.transport.support.stack import Stack
from tests.transport.support.stack_suite import StackSuite, WebSocketSuite
from transport.client import DialError, Trust, dial
from transport.driver import Driver
from transport.errors import CloseCode
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


class TestHttp3(WebSocketSuite):
    kind = TransportKind.WEBSOCKET_H3
    dial = staticmethod(dial_http3)

    async def send_text(self, session: Driver) -> None:
        carrier = session._carrier
        carrier._socket.send(carrier._framing.text("text"))


class TestTrust:
    @pytest.mark.parametrize("kind", [TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H3])
    async def test_by_a_file_and_insecure(self, stack: Stack, kind: TransportKind) -> None:
        certificate = stack.folder / "current.pem"
        for trust in (Trust(ca_file=certificate), Trust(insecure=True)):
            async with dial(stack.url, kind, trust=trust) as session:
                assert session.info.transport is kind
                (await stack.sessions.get()).close(CloseCode.GOING_AWAY)

    @pytest.mark.parametrize("kind", [TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H3])
    async def test_whom_not_to_believe(self, stack: Stack, kind: TransportKind) -> None:
        other = base64.b64encode(bytes(32)).decode()
        for trust in (Trust(), Trust(certificate_hashes=(other,))):
            with pytest.raises(DialError, match="over UDP"):
                async with dial(stack.url, kind, trust=trust):
                    pass


async def test_nobody_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1/live"
        with pytest.raises(DialError, match="over UDP"):
            async with dial(url, TransportKind.WEBTRANSPORT, timeout=0.2):
                pass
