"""The bus through the exchange keeps the promises of the seam, and says when it could not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.bus.base import MAX_WAITING, Bus, Event
from server.bus.exchange import exchanging
from server.bus.unix import UnixBus
from tests.conformance.bus_suite import BusSuite, event, number

PATIENCE = 10


@asynccontextmanager
async def running(bus: UnixBus) -> AsyncIterator[UnixBus]:
    async with asyncio.TaskGroup() as tasks:
        keeps = tasks.create_task(bus.run())
        try:
            yield bus
        finally:
            await bus.close()
            keeps.cancel()


async def round_trip(bus: Bus) -> None:
    """Whatever was published before has been delivered after it."""

    def nothing(event: Event) -> None: ...

    async with asyncio.timeout(PATIENCE):
        await bus.subscribe("probe", nothing)
    await bus.unsubscribe("probe", nothing)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  what it waits for tells nobody
            await asyncio.sleep(0.005)


class TestUnixBus(BusSuite):
    @pytest.fixture
    async def bus(self, tmp_path: Path) -> AsyncIterator[Bus]:
        async with exchanging(tmp_path / "bus"), running(UnixBus(tmp_path / "bus")) as bus:
            self._bus = bus
            yield bus

    async def settled(self) -> None:
        for _ in range(3):  # What receivers publish comes round once more.
            await round_trip(self._bus)


async def test_workers_see_one_order(tmp_path: Path) -> None:
    path = tmp_path / "bus"
    async with (
        exchanging(path) as exchange,
        running(UnixBus(path)) as one,
        running(UnixBus(path)) as other,
    ):
        seen: dict[str, list[int]] = {"one": [], "other": []}
        await one.subscribe("shop", lambda e: seen["one"].append(number(e)))
        await other.subscribe("shop", lambda e: seen["other"].append(number(e)))
        for n in range(0, 300, 3):
            one.publish("shop", event(n))
            other.publish("shop", event(n + 1))
            exchange.publish("shop", event(n + 2))
            await asyncio.sleep(0)
        await until(lambda: min(map(len, seen.values())) == 300)
        assert seen["one"] == seen["other"]
        assert sorted(seen["one"]) == list(range(300))
        for own in range(3):
            assert [n for n in seen["one"] if n % 3 == own] == list(range(own, 300, 3))


async def test_a_gap_is_told_once_everything_is_joined_again(tmp_path: Path) -> None:
    path, gaps, got = tmp_path / "bus", [], []
    async with running(UnixBus(path)) as bus:
        async with exchanging(path):
            for topic in ("a", "b"):
                await bus.subscribe(topic, lambda e: got.append(number(e)))
            await round_trip(bus)
        bus.on_gap = lambda: gaps.append(len(got))
        await until(lambda: bus._wire is None)
        bus.publish("a", event(1))
        async with exchanging(path) as exchange:
            await until(lambda: bool(gaps))
            exchange.publish("b", event(2))
            await until(lambda: len(got) == 2)
    assert len(gaps) == 1
    assert got == [1, 2]  # What waited while it was away goes out once it is back.


async def test_who_subscribes_while_it_is_away_waits_and_missed_nothing(tmp_path: Path) -> None:
    path, got = tmp_path / "bus", []
    async with running(UnixBus(path)) as bus:
        gaps: list[int] = []
        bus.on_gap = lambda: gaps.append(1)
        joins = asyncio.create_task(bus.subscribe("a", lambda e: got.append(number(e))))
        await asyncio.sleep(0.01)
        assert not joins.done()
        async with exchanging(path) as exchange:
            await joins
            exchange.publish("a", event(1))
            await until(lambda: got == [1])
    assert not gaps


async def test_giving_up_to_subscribe_leaves_nothing(tmp_path: Path) -> None:
    path, got = tmp_path / "bus", []
    async with running(UnixBus(path)) as bus:
        joins = asyncio.create_task(bus.subscribe("a", lambda e: got.append(e)))
        await asyncio.sleep(0)
        joins.cancel()
        await asyncio.wait([joins])
        async with exchanging(path) as exchange:
            await round_trip(bus)
            assert "a" not in exchange._topics
            exchange.publish("a", event(1))
            await round_trip(bus)
    assert got == []


async def test_leaving_and_coming_back_while_it_is_away(tmp_path: Path) -> None:
    path, got = tmp_path / "bus", []

    def receiver(e: Event) -> None:
        got.append(number(e))

    async with running(UnixBus(path)) as bus:
        async with exchanging(path):
            await bus.subscribe("a", receiver)
            await bus.subscribe("b", receiver)
        await until(lambda: bus._wire is None)
        await bus.unsubscribe("b", receiver)
        await bus.unsubscribe("a", receiver)
        again = asyncio.create_task(bus.subscribe("a", receiver))
        async with exchanging(path) as exchange:
            await again
            await round_trip(bus)
            exchange.publish("a", event(1))
            exchange.publish("b", event(2))
            await round_trip(bus)
    assert got == [1]


async def test_done_is_told_for_what_waited_and_not_for_what_was_lost(tmp_path: Path) -> None:
    path, done = tmp_path / "bus", []
    async with running(UnixBus(path)) as bus:
        async with exchanging(path) as exchange:
            await round_trip(bus)
            [port] = exchange.ports
            port._transport.pause_reading()  # What is sent now, nobody hands round.
            bus.publish("a", event(1), lambda: done.append(1))
            await until(lambda: not bus._waiting)
        await until(lambda: bus._wire is None)
        bus.publish("a", event(2), lambda: done.append(2))
        async with exchanging(path):
            await round_trip(bus)
    assert done == [2]
    assert not bus._dones


async def test_what_waits_for_the_exchange_is_bounded(tmp_path: Path) -> None:
    bus = UnixBus(tmp_path / "bus")
    for n in range(MAX_WAITING + 3):
        bus.publish("a", event(n))
    assert bus.dropped == 3


async def test_a_worker_that_does_not_listen_is_cut_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.bus.exchange.MAX_BEHIND", 100_000)
    path, got = tmp_path / "bus", []
    async with exchanging(path) as exchange, running(UnixBus(path)) as good:
        await good.subscribe("a", lambda e: got.append(number(e)))
        async with running(UnixBus(path)) as bad:
            await bad.subscribe("a", lambda e: None)
            assert bad._wire is not None
            bad._wire._transport.pause_reading()
            for n in range(20_000):
                good.publish("a", event(n))
                if n % 100 == 0:
                    await round_trip(good)
            await round_trip(good)
            assert len(exchange.ports) == 1
    assert got == list(range(20_000))


async def test_rubbish_ends_a_connection_and_no_other(tmp_path: Path) -> None:
    path, got = tmp_path / "bus", []
    async with exchanging(path), running(UnixBus(path)) as bus:
        await bus.subscribe("a", lambda e: got.append(number(e)))
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"\0\0\0\1\xc1")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        bus.publish("a", event(1))
        await until(lambda: got == [1])
