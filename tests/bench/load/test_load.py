"""The load generator against a real server, over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.load import people
from bench.load.fleet import Fleet, fleet
from bench.load.house import House, house
from bench.load.meter import Usage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[House]:
    async with house() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def load(server: House) -> AsyncIterator[Fleet]:
    async with fleet(server, processes=2) as load:
        yield load


async def test_sessions_of_both_kinds_live_chat_and_leave(server: House, load: Fleet) -> None:
    state = await load.open(quic=4, websocket=4)
    assert (state.live, state.why) == (8, {})
    samples = await server.metrics()
    for kind in ("webtransport", "websocket-h1"):
        assert samples[f'tradewind_sessions{{role="visitor",transport="{kind}"}}'] == 4
    chatted = await load.chat(per_second=40, seconds=1, senders=8)
    assert (chatted.sent, len(chatted.delays)) == (40, 40)
    assert chatted.delays == sorted(chatted.delays)
    verified = await load.verify()
    assert (verified.verdict.sent, verified.verdict.accepted) == (40, 40)
    assert (verified.verdict.breaches, verified.unread) == (0, 0)
    await load.leave()
    assert (await load.look()).live == 0


async def test_a_sender_that_is_too_fast_is_refused_and_still_loses_nothing(load: Fleet) -> None:
    await load.open(quic=2, websocket=2)
    chatted = await load.chat(per_second=192, seconds=0.5, senders=4, patience=30)
    assert chatted.refusals["rate_limited"] > 0
    verified = await load.verify()
    assert verified.verdict.accepted == verified.verdict.sent == 96
    assert verified.verdict.breaches == 0


async def test_people_come_and_go_over_each_transport(load: Fleet) -> None:
    for kind in ("quic", "websocket"):
        cycled = await load.cycle(kind, 10)
        assert (cycled.done, cycled.why) == (10, {})


async def test_a_server_that_dies_is_seen(server: House, load: Fleet) -> None:
    await load.open(websocket=2)
    server.process.kill()
    await server.process.wait()
    await load.chat(per_second=10, seconds=0.3, senders=2, patience=1)
    state = await load.look()
    assert state.live == 0
    assert sum(state.why.values()) == 2
    assert server.ended() is not None
    assert server.usage() == Usage()


async def test_every_source_is_a_loopback_address_of_its_own() -> None:
    sources = [people.source(number) for number in range(2_000)]
    assert len(set(sources)) == len(sources)
    assert all(source.startswith("127.") for source in sources)
    assert not {source.rpartition(".")[2] for source in sources} & {"0", "255"}
