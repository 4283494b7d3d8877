"""The session suite over QUIC: WebTransport and WebSocket over HTTP/3, through the real server."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.conformance.session_suite import Pair, deliver, go_live, of, send, take
from tests.transport.support.lossy import lossy
from tests.transport.support.stack import ORIGIN, Stack
from tests.transport.support.stack_suite import StackSuite, WebSocketSuite
from transport.client import DialError, Trust, dial
from transport.driver import Driver
from transport.errors import CloseCode
from transport.quic.dial import Address
from transport.session import TransportKind

OVER_UDP = [TransportKind.QUIC, TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H3]

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


@asynccontextmanager
async def dial_native(
    url: str, *, trust: Trust, origin: str | None = None
) -> AsyncIterator[Driver]:
    async with dial(url, TransportKind.QUIC, trust=trust, origin=origin) as session:
        yield session


class TestNative(StackSuite):
    kind = TransportKind.QUIC
    dial = staticmethod(dial_native)

    async def test_what_is_known_of_the_session(self, stack: Stack) -> None:
        async with dial_native(stack.url, trust=stack.trust):
            info = (await stack.sessions.get()).info
            assert info.transport is TransportKind.QUIC
            assert info.origin is None
            assert info.path == "/v1/live"
            assert info.peer[0] == "127.0.0.1"
            assert info.secure

    async def test_foreign_origin(self, stack: Stack) -> None:
        """Nobody who speaks it has one."""
        with pytest.raises(DialError, match="only browsers"):
            async with dial_native(stack.url, trust=stack.trust, origin=ORIGIN):
                pass
        assert stack.sessions.empty()


class TestHttp3(WebSocketSuite):
    kind = TransportKind.WEBSOCKET_H3
    dial = staticmethod(dial_http3)

    async def send_text(self, session: Driver) -> None:
        carrier = session._carrier
        carrier._socket.send(carrier._framing.text("text"))


class TestTrust:
    @pytest.mark.parametrize("kind", OVER_UDP)
    async def test_by_a_file_and_insecure(self, stack: Stack, kind: TransportKind) -> None:
        certificate = stack.folder / "current.pem"
        for trust in (Trust(ca_file=certificate), Trust(insecure=True)):
            async with dial(stack.url, kind, trust=trust) as session:
                assert session.info.transport is kind
                (await stack.sessions.get()).close(CloseCode.GOING_AWAY)

    @pytest.mark.parametrize("kind", OVER_UDP)
    async def test_whom_not_to_believe(self, stack: Stack, kind: TransportKind) -> None:
        other = base64.b64encode(bytes(32)).decode()
        for trust in (Trust(), Trust(certificate_hashes=(other,))):
            with pytest.raises(DialError, match="over UDP"):
                async with dial(stack.url, kind, trust=trust):
                    pass


async def test_without_datagrams_everything_goes_by_the_stream(stack: Stack) -> None:
    kind, trust = TransportKind.WEBTRANSPORT, stack.trust
    async with dial(stack.url, kind, trust=trust, datagrams=False) as client:
        pair = Pair(client, await stack.sessions.get())
        await go_live(pair)
        pair.client.send(send(uuid4(), 1))
        await take(pair.server, 1)
        pair.server.send(deliver(uuid4(), 1))
        await take(pair.client, 1)
        for session in (pair.client, pair.server):
            assert session.counters.datagrams_sent == 0


async def test_order_and_once_through_a_network_that_loses(stack: Stack) -> None:
    async with lossy(stack.port) as (relay, port):
        url = f"https://127.0.0.1:{port}/v1/live"
        async with dial(url, TransportKind.WEBTRANSPORT, trust=stack.trust) as client:
            pair = Pair(client, await stack.sessions.get())
            await go_live(pair)
            relay.loss = 0.2
            flows = [uuid4() for _ in range(4)]
            up = [send(flows[number % 4], number) for number in range(80)]
            down = [deliver(flows[seq % 4], seq, "z" * 40 * seq) for seq in range(80)]
            for one, other in zip(up, down, strict=True):
                pair.client.send(one)
                pair.server.send(other)
                await asyncio.sleep(0.002)
            got_up, got_down = await asyncio.gather(take(pair.server, 80), take(client, 80))
            for flow in flows:
                for sent, got in ((up, got_up), (down, got_down)):
                    assert of(flow, got) == of(flow, sent)
            relay.loss = 0.0
        assert relay.lost > 30
        assert client.counters.duplicates > 0
        assert pair.server.counters.first_by_datagram > 40
        assert pair.server.counters.reports_sent > 0


async def test_each_side_learns_what_the_network_does_to_its_datagrams(stack: Stack) -> None:
    async with lossy(stack.port) as (relay, port):
        url = f"https://127.0.0.1:{port}/v1/live"
        async with dial(url, TransportKind.WEBTRANSPORT, trust=stack.trust) as client:
            pair = Pair(client, await stack.sessions.get())
            await go_live(pair)
            relay.loss = 0.3
            for number in range(60):
                pair.client.send(send(uuid4(), number))
                pair.server.send(deliver(uuid4(), number))
                await asyncio.sleep(0.02)
            await asyncio.gather(take(pair.server, 60), take(client, 60))
            for session in (client, pair.server):
                counters = session.counters
                assert counters.reports_received > 0
                assert 0.1 < counters.loss < 0.6
                assert counters.copies > 3
                assert counters.copies_useful > 0
                assert counters.copies_useful + counters.copies_wasted <= counters.copies_sent
            relay.loss = 0.0


async def test_nobody_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1/live"
        with pytest.raises(DialError, match="over UDP"):
            async with dial(url, TransportKind.WEBTRANSPORT, timeout=0.2):
                pass


async def test_a_host_whose_first_address_leads_nowhere(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        return [(socket.AF_INET6, ("::1", port)), (socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr("transport.quic.dial.resolve", resolve)
    async with dial(stack.url, TransportKind.WEBTRANSPORT, trust=stack.trust, timeout=5) as session:
        assert (await stack.sessions.get()).info.peer[0] == "127.0.0.1"
        assert not session.closed
