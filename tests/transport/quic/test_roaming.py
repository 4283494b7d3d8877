"""A client that moves, or is moved: the session stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conformance.session_suite import Pair, deliver, go_live, send, take
from tests.transport.support.echo import until
from tests.transport.support.road import Road, road
from tests.transport.support.stack import Stack, running
from transport.client import Client, Settings, dial
from transport.client.udp import Movable
from transport.quic.aio.bounds import ROOM_TO_ANSWER
from transport.quic.aio.connection import Connection
from transport.quic.roaming import FASTEST, Roaming
from transport.session import TransportKind

PATIENCE = 10.0
OVER_UDP = [TransportKind.QUIC, TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H3]
HEARTBEAT = 60_000
"""No ping of the session helps here."""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running(tmp_path) as stack:
        yield stack


@asynccontextmanager
async def live(
    stack: Stack, kind: TransportKind, roaming: Roaming | None = None
) -> AsyncIterator[tuple[Road, Pair]]:
    async with road(stack.port) as (way, port):
        url = f"https://127.0.0.1:{port}/v1/live"
        async with dial(url, kind, trust=stack.trust, roaming=roaming) as client:
            pair = Pair(client, await stack.sessions.get())
            await go_live(pair, HEARTBEAT)
            yield way, pair


def quic_of(pair: Pair) -> Connection:
    return pair.client.carrier._client.quic  # type: ignore[attr-defined,no-any-return]


async def exchange(pair: Pair, number: int) -> None:
    """Something each way."""
    conversation = uuid4()
    pair.client.send(send(conversation, number))
    assert await take(pair.server, 1) == [send(conversation, number)]
    pair.server.send(deliver(conversation, number))
    assert await take(pair.client, 1) == [deliver(conversation, number)]


@pytest.mark.parametrize("kind", OVER_UDP)
async def test_a_nat_that_forgets(stack: Stack, kind: TransportKind) -> None:
    async with live(stack, kind) as (way, pair):
        for number in range(1, 4):
            await way.rebind()
            await exchange(pair, number)
        assert len(set(way.ports)) == 4
        assert len(way.clients) == 1
        assert stack.listening.stats()["quic_connections"] == 1


@pytest.mark.parametrize("kind", OVER_UDP)
async def test_a_client_that_takes_another_socket(stack: Stack, kind: TransportKind) -> None:
    async with live(stack, kind) as (way, pair):
        carrier = pair.client.carrier
        assert isinstance(carrier, Movable)
        for number in range(1, 5):
            before = quic_of(pair)._peer_cid.cid
            carrier.move()
            await exchange(pair, number)
            assert quic_of(pair)._peer_cid.cid != before  # RFC 9000 section 9.5
        assert len(way.clients) == 5
        assert stack.listening.stats()["quic_connections"] == 1


async def test_what_is_said_while_moving_arrives_on_the_new_path(stack: Stack) -> None:
    """The packet that moves is enough: the server answers there at once, and the rest follows."""
    async with live(stack, TransportKind.QUIC) as (way, pair):
        conversation = uuid4()
        down = [deliver(conversation, seq) for seq in range(40)]
        for frame in down[:20]:
            pair.server.send(frame)
        pair.client.carrier.move()  # type: ignore[attr-defined]
        for frame in down[20:]:
            pair.server.send(frame)
        assert await take(pair.client, 40) == down
        assert len(way.clients) == 2


async def test_an_address_that_is_not_there(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC) as (way, pair):
        with pytest.raises(OSError, match="assign"):
            pair.client.carrier.move(("192.0.2.1", 0))  # type: ignore[attr-defined]
        await exchange(pair, 1)
        assert len(way.clients) == 1


async def test_a_tunnel(stack: Stack) -> None:
    """Nothing gets through for a while; what was said meanwhile, on both sides, arrives after it,
    and the client has tried another socket by itself."""
    async with live(stack, TransportKind.QUIC) as (way, pair):
        for number in range(1, 6):
            await exchange(pair, number)
        way.closed = True
        up, down = send(uuid4(), 7), deliver(uuid4(), 7)
        pair.client.send(up)
        pair.server.send(down)
        await until(lambda: len(way.clients) > 1, PATIENCE)
        await asyncio.sleep(0.3)
        way.closed = False
        assert await take(pair.server, 1) == [up]
        assert await take(pair.client, 1) == [down]
        assert stack.listening.stats()["quic_connections"] == 1


async def test_a_tunnel_around_one_who_only_listens(stack: Stack) -> None:
    """Nothing of its own is outstanding, but the lull after what it heard makes it ask, and then
    look for the way out; what the server wanted to say comes after it."""
    async with live(stack, TransportKind.QUIC) as (way, pair):
        await exchange(pair, 1)
        conversation = uuid4()
        down = [deliver(conversation, seq) for seq in range(300)]
        pair.server.send(down[0])
        assert await take(pair.client, 1) == down[:1]
        way.closed = True
        for frame in down[1:]:
            pair.server.send(frame)
        await until(lambda: len(way.clients) > 1, PATIENCE)
        way.closed = False
        assert await take(pair.client, 299) == down[1:]
        assert stack.listening.stats()["quic_connections"] == 1


@pytest.mark.parametrize("barred", [0, 1])
async def test_whichever_socket_is_heard_first_stays(stack: Stack, barred: int) -> None:
    """Out of a tunnel the way may lead back to the socket that was there, or only to a new one."""
    async with live(stack, TransportKind.QUIC) as (way, pair):
        for number in range(1, 6):
            await exchange(pair, number)
        way.closed = True
        pair.client.send(send(uuid4(), 7))
        await until(lambda: len(way.clients) > 1, PATIENCE)
        way.barred, way.closed = way.clients[barred], False
        await take(pair.server, 1)
        await exchange(pair, 8)
        dialler = pair.client.carrier._client._dialler  # type: ignore[attr-defined]
        assert (dialler.moves, dialler.local[1]) == (1 - barred, way.clients[1 - barred][1])
        assert stack.listening.stats()["quic_connections"] == 1


async def test_when_the_system_has_another_address_for_us_we_move(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC) as (way, pair):
        await exchange(pair, 1)
        dialler = pair.client.carrier._client._dialler  # type: ignore[attr-defined]
        dialler._changed()
        assert (dialler.moves, dialler._source) == (0, "127.0.0.1")
        dialler._source = "192.0.2.1"
        dialler._changed()
        await exchange(pair, 2)
        assert (dialler.moves, len(way.clients)) == (1, 2)


async def test_when_there_is_a_way_again_we_ask_at_once(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC) as (way, pair):
        await exchange(pair, 1)
        await asyncio.sleep(0.3)
        sent = len(way.sent)
        dialler = pair.client.carrier._client._dialler  # type: ignore[attr-defined]
        dialler._cut_off = True
        dialler._changed()
        await until(lambda: len(way.sent) > sent, PATIENCE)
        assert len(way.sent[sent]) == 1_200
        assert dialler.moves == 0


async def test_probing_a_tunnel_is_bounded(stack: Stack) -> None:
    """A probe every interval, in two packets at most, and one fresh socket."""
    async with live(stack, TransportKind.QUIC) as (way, pair):
        for number in range(1, 6):
            await exchange(pair, number)
        way.closed = True
        tried = way.tried
        pair.client.send(send(uuid4(), 7))
        await asyncio.sleep(1.5)
        assert 4 < way.tried - tried < 2 * 1.5 / FASTEST + 20
        assert len(way.clients) == 2


async def test_a_lull_is_asked_about_once(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC) as (way, pair):
        await exchange(pair, 1)
        await asyncio.sleep(0.3)
        sent = len(way.sent)
        pair.server.send(deliver(uuid4(), 1))
        await take(pair.client, 1)
        await asyncio.sleep(0.8)
        asked = [data for data in way.sent[sent:] if len(data) >= ROOM_TO_ANSWER]
        assert len(asked) == 1


async def test_without_roaming_a_silent_path_is_left_alone(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC, Roaming(probe_every=None)) as (way, pair):
        for number in range(1, 6):
            await exchange(pair, number)
        way.closed = True
        pair.client.send(send(uuid4(), 7))
        await asyncio.sleep(0.6)
        assert len(way.clients) == 1


async def test_a_quiet_client_sends_nothing_without_keepalive(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC) as (way, pair):
        await exchange(pair, 1)
        await asyncio.sleep(0.3)
        quiet = len(way.sent)
        await asyncio.sleep(0.4)
        assert len(way.sent) == quiet


async def test_keepalive_is_one_packet_each_way(stack: Stack) -> None:
    async with live(stack, TransportKind.QUIC, Roaming(keepalive=0.1)) as (way, pair):
        await exchange(pair, 1)
        await asyncio.sleep(0.3)
        sent, answers = len(way.sent), way.answers
        await until(lambda: len(way.sent) >= sent + 5)
        assert abs((way.answers - answers) - (len(way.sent) - sent)) <= 1
        assert all(len(data) < 60 for data in way.sent[sent:])


async def test_the_client_moves_its_session(stack: Stack) -> None:
    async def token(fresh: bool) -> str:
        return "good"

    async with road(stack.port) as (way, port):
        settings = Settings(
            url=f"https://127.0.0.1:{port}/v1/live",
            transports=(TransportKind.QUIC,),
            trust=stack.trust,
        )
        async with Client(settings, token) as client, asyncio.timeout(PATIENCE):
            server = await stack.sessions.get()
            assert not client.move(("192.0.2.1", 0))
            await until(lambda: client.move() and len(way.clients) > 1)
            assert not server.closed
