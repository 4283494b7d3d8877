"""Who is online, kept in Redis; and Presence beside it, which keeps the same promises without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from server.bus.base import Event, Seen
from server.bus.local import LocalBus
from server.bus.redis import RedisBus
from server.live import presence as local
from server.live.hub import Hub
from server.live.online import FORGET_AFTER, Counts
from server.live.presence import Presence
from server.live.shared_presence import Pace, SharedPresence
from storage.redis import Redis, connect
from tests.conformance.online_suite import SHOP, OnlineSuite, Worker, agent, until, visitor
from tests.support.redis import RedisServer
from transport.memory import memory_pair
from transport.wire import frames

QUICK = Pace(refresh=0.1, lapse=0.8, check=0.1, grace=0.4, repeat=0.2)


class LocalRegion:
    """Workers of one host."""

    round = 1.0
    lapse = 2.5

    def __init__(self) -> None:
        self.bus = LocalBus()
        self.workers: list[Worker] = []

    async def worker(self) -> Worker:
        clock = asyncio.get_running_loop().time
        self.workers.append(Worker(self.bus, Presence(self.bus, uuid4(), clock)))
        self.workers[-1].start()
        return self.workers[-1]


class CountingBus(LocalBus):
    """Loses what it is told to, and counts what is published."""

    def __init__(self) -> None:
        super().__init__()
        self.published = 0
        self.lossy = False

    def publish(self, topic: str, event: Event, done: Callable[[], None] | None = None) -> None:
        self.published += 1
        if not self.lossy:
            super().publish(topic, event, done)


class SharedRegion:
    """Workers that share a Redis. The bus is one of a single process, whose ways are known."""

    round = QUICK.repeat
    lapse = QUICK.lapse + QUICK.check + QUICK.grace

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.bus = CountingBus()
        self.redis = redis
        self.prefix = prefix
        self.workers: list[Worker] = []

    async def worker(self) -> Worker:
        clock = asyncio.get_running_loop().time
        made = SharedPresence(self.bus, uuid4(), clock, self.redis, self.prefix, QUICK)
        self.workers.append(Worker(self.bus, made))
        self.workers[-1].start()
        return self.workers[-1]


@pytest.fixture
async def shared(redis: Redis, redis_prefix: str) -> AsyncIterator[SharedRegion]:
    region = SharedRegion(redis, redis_prefix)
    yield region
    for worker in region.workers:
        await worker.kill()


class HostsRegion:
    """Workers of several hosts, as they are: each with a bus and a connection of its own."""

    round = QUICK.repeat
    lapse = SharedRegion.lapse

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix
        self.stack = AsyncExitStack()

    async def worker(self) -> Worker:
        redis = connect(self.url)
        self.stack.push_async_callback(redis.aclose)
        bus = RedisBus(redis, self.prefix)
        self.stack.push_async_callback(bus.close)
        running = asyncio.get_running_loop().create_task(bus.run())
        self.stack.push_async_callback(ended, running)
        clock = asyncio.get_running_loop().time
        prefix = f"{self.prefix}live:"
        made = Worker(bus, SharedPresence(bus, uuid4(), clock, redis, prefix, QUICK))
        self.stack.push_async_callback(made.kill)
        made.start()
        return made


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


class TestPresence(OnlineSuite):
    @pytest.fixture
    async def region(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalRegion]:
        monkeypatch.setattr(local, "ANNOUNCE_EVERY", 1)
        monkeypatch.setattr(local, "FORGET_AFTER", LocalRegion.lapse)
        region = LocalRegion()
        yield region
        for worker in region.workers:
            await worker.kill()


class TestSharedPresence(OnlineSuite):
    @pytest.fixture
    async def region(self, shared: SharedRegion) -> SharedRegion:
        return shared


class TestSharedPresenceOfSeveralHosts(OnlineSuite):
    @pytest.fixture
    async def region(
        self, redis_server: RedisServer, redis_prefix: str
    ) -> AsyncIterator[HostsRegion]:
        region = HostsRegion(redis_server.url, redis_prefix)
        async with region.stack:
            yield region


def test_clients_and_workers_forget_alike() -> None:
    pace = Pace()
    assert pace.lapse + pace.check + pace.grace == FORGET_AFTER
    assert pace.lapse > 2 * pace.refresh
    assert pace.grace > pace.refresh


async def pair(region: SharedRegion, people: int = 5) -> tuple[Worker, Worker]:
    """Two workers, and people on the first of them whom the second knows of."""
    here, there = await region.worker(), await region.worker()
    for worker in (here, there):
        await worker.follow()
    for n in range(people):
        here.presence.arrived(visitor(n), "quic")
    await until(lambda: len(there.online()) == people)
    return here, there


async def keys(region: SharedRegion) -> list[bytes]:
    return await region.redis.keys(f"{region.prefix}*")


async def test_nobody_is_announced_again_over_the_bus(shared: SharedRegion) -> None:
    await pair(shared)
    before = shared.bus.published
    await asyncio.sleep(3 * shared.round)
    assert shared.bus.published == before


async def test_who_stays_costs_a_few_commands(shared: SharedRegion) -> None:
    """Not one for each of them."""
    await pair(shared, people=1_000)
    await asyncio.sleep(3 * QUICK.refresh)
    before = (await shared.redis.info("stats"))["total_commands_processed"]
    await asyncio.sleep(5 * QUICK.refresh)
    after = (await shared.redis.info("stats"))["total_commands_processed"]
    assert after - before < 200


async def test_flushed_it_is_there_again_after_a_refresh(
    shared: SharedRegion,
) -> None:
    here, there = await pair(shared)
    there.presence.arrived(agent(9), "quic")
    await until(lambda: len(here.online()) == 6)
    await asyncio.sleep(2 * QUICK.refresh)
    for worker in (here, there):
        worker.told.clear()
    await shared.redis.delete(*await keys(shared))
    late = await shared.worker()
    await late.follow()
    await until(lambda: len(late.online()) == 6)
    await asyncio.sleep(shared.lapse)
    assert not [seen for worker in (here, there) for seen in worker.told if not seen.transport]
    assert here.online() == there.online() == late.online()


async def test_the_eviction_of_one_key_is_mended(shared: SharedRegion) -> None:
    await pair(shared)
    await asyncio.sleep(QUICK.refresh)
    for key in await keys(shared):
        await shared.redis.delete(key)
        await asyncio.sleep(3 * QUICK.refresh)
        late = await shared.worker()
        await late.follow()
        await until(lambda late=late: len(late.online()) == 5)
        await late.kill()


async def test_what_the_bus_lost_is_read_from_redis(shared: SharedRegion) -> None:
    here, there = await pair(shared)
    shared.bus.lossy = True
    here.presence.left(visitor(0), "quic")
    here.presence.arrived(visitor(7), "websocket-h1")
    here.presence.arrived(visitor(1), "websocket-h2")
    expected = {visitor(n).who: "quic" for n in (2, 3, 4)} | {
        visitor(7).who: "websocket-h1",
        visitor(1).who: "websocket-h2",
    }
    await until(lambda: here.online() == there.online() == expected)
    assert Seen(here.presence._source, visitor(0).who, None) in there.told


async def test_nothing_is_left_of_who_left(shared: SharedRegion) -> None:
    here, there = await pair(shared)
    for n in range(5):
        here.presence.left(visitor(n), "quic")
    await until(lambda: not there.online())
    await asyncio.sleep(0.1)
    assert await keys(shared) == []


async def test_of_a_dead_worker_nothing_is_left(shared: SharedRegion) -> None:
    here, there = await pair(shared)
    there.presence.arrived(agent(9), "quic")
    await here.kill()
    await until(lambda: len(there.online()) == 1)
    await asyncio.sleep(QUICK.lapse)
    assert len(await keys(shared)) == 3  # The set, and the other's people and digest.
    assert len(await shared.redis.smembers(f"{shared.prefix}{SHOP}")) == 1


async def test_more_people_than_go_into_one_write(shared: SharedRegion) -> None:
    here, _ = await pair(shared, people=1_700)
    for n in range(100):
        here.presence.left(visitor(n), "quic")
    await asyncio.sleep(0.2)
    late = await shared.worker()
    await late.follow()
    await until(lambda: len(late.online()) == 1_600)
    assert late.online() == here.online()


async def test_a_person_who_changes_while_being_written(shared: SharedRegion) -> None:
    here, there = await pair(shared)
    for n in range(300):
        if n % 2:
            here.presence.arrived(visitor(0), f"websocket-h{n % 3 + 1}")
        else:
            here.presence.left(visitor(0), "quic" if n == 0 else f"websocket-h{(n - 1) % 3 + 1}")
        await asyncio.sleep(0.0007)
    await asyncio.sleep(0.1)
    late = await shared.worker()
    await late.follow()
    await until(lambda: late.online() == here.online() == there.online() != {})


@pytest.mark.crash
async def test_redis_away_and_back(
    redis_prefix: str, own_redis: Callable[..., RedisServer]
) -> None:
    server = own_redis()
    region = SharedRegion(connect(server.url), redis_prefix)
    here, there = await pair(region)
    server.kill()
    region.bus.lossy = True
    here.presence.left(visitor(0), "quic")
    here.presence.arrived(visitor(8), "quic")
    there.told.clear()
    await asyncio.sleep(region.lapse)
    region.bus.lossy = False
    assert not [seen for seen in there.told if not seen.transport]
    assert {seen.who for seen in there.told} == {visitor(n).who for n in range(5)}
    assert there.presence.errors  # type: ignore[attr-defined]
    server.start()
    expected = {visitor(n).who: "quic" for n in (1, 2, 3, 4, 8)}
    await until(lambda: there.online() == here.online() == expected)
    for worker in region.workers:
        await worker.kill()
    await region.redis.aclose()


async def test_an_agent_hears_again_and_again_who_is_there(shared: SharedRegion) -> None:
    """Through the hub, and without the bus."""
    clock = asyncio.get_running_loop().time
    presence = SharedPresence(shared.bus, uuid4(), clock, shared.redis, shared.prefix, QUICK)
    hub = Hub(shared.bus, presence)
    running = asyncio.get_running_loop().create_task(presence.run())
    there = await shared.worker()
    there.presence.arrived(visitor(1), "quic")
    await asyncio.sleep(0.1)
    async with memory_pair() as (client, server):
        client.send(frames.Hello(frames.VERSION, "token"))
        await server.receive()
        follower = await hub.join(server, agent(2))
        follower.welcome(frames.Welcome(frames.VERSION, uuid4(), agent(2).who, 0, 25_000), [], [])
        await until(lambda: presence.counts(SHOP) == Counts(visitors=1, agents=1))
        published = shared.bus.published
        heard: list[str] = []
        async with asyncio.timeout(10):
            while heard.count(visitor(1).who) < 4:
                frame = await client.receive()
                if isinstance(frame, frames.Presence):
                    heard.append(frame.who)
        assert shared.bus.published == published
        await hub.leave(follower)
    assert presence.counts(SHOP) == Counts(0, 0)
    await ended(running)
