"""Locks and loads of a region, in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from server.service.coordinator.base import Lease, LockUnavailable
from server.service.coordinator.load import LIFETIME, Given, LoadUnavailable
from server.service.coordinator.locks import EPOCH
from server.service.coordinator.redis_load import RedisLoad
from server.service.coordinator.redis_locks import RedisLocks
from storage.memory_journal import MemoryJournal
from storage.redis import Redis, connect
from tests.conformance import load_suite, locks_suite
from tests.conformance.load_suite import ANN, LoadSuite, complete, keep
from tests.conformance.locks_suite import LocksSuite, taken
from tests.support.redis import RedisServer, until_answers


@pytest.fixture
def forget(redis: Redis, redis_prefix: str) -> Callable[[], Awaitable[None]]:
    async def forget() -> None:
        keys = [key async for key in redis.scan_iter(match=redis_prefix + "*")]
        assert keys
        await redis.delete(*keys)

    return forget


class TestRedisLocks(LocksSuite):
    @pytest.fixture
    def make(self, redis: Redis, redis_prefix: str) -> locks_suite.Make:
        journal = MemoryJournal()
        return lambda: RedisLocks(redis, journal, redis_prefix)


class TestRedisLoad(LoadSuite):
    @pytest.fixture
    def make(self, redis: Redis, redis_prefix: str) -> load_suite.Make:
        def make(lifetime: float = LIFETIME) -> RedisLoad:
            return RedisLoad(redis, redis_prefix, lifetime)

        return make


@pytest.fixture
def server(own_redis: Callable[..., RedisServer]) -> RedisServer:
    return own_redis()


@pytest.fixture
async def own(server: RedisServer) -> AsyncIterator[Redis]:
    redis = connect(server.url)
    yield redis
    await redis.aclose()


async def test_tokens_grow_through_kills_and_old_files(server: RedisServer, own: Redis) -> None:
    """A restart from a file brings counts back that have been used: another run, another epoch."""
    locks = RedisLocks(own, MemoryJournal(), "tw:")
    tokens = []
    for how in ("file", "kill", "file", "flush", "kill"):
        lease = await taken(locks, 0)
        tokens.append(lease.token)
        await locks.release(lease)
        if how == "file":
            await own.save()
        more = [await taken(locks, 0, 0.001) for _ in range(1)]
        tokens += [lease.token for lease in more]
        if how == "flush":
            await own.flushall()
        else:
            server.restart()
            await until_answers(own)
    assert tokens == sorted(set(tokens))


async def test_a_load_from_another_run_is_not_complete(server: RedisServer, own: Redis) -> None:
    load = RedisLoad(own, "tw:")
    await complete(load)
    one = uuid4()
    await load.hold(ANN, one, 3)
    mark = await load.prepare_restore(ANN)
    await own.save()
    server.restart()
    await until_answers(own)
    assert (await load.taken(ANN)).held == {one: 3}
    assert await keep(load, uuid4()) is Given.INCOMPLETE
    assert not await load.restore(ANN, mark, load_suite.Taken())
    await complete(load)
    assert await keep(load, uuid4()) is Given.KEPT


async def test_an_epoch_drawn_before_it_forgot_is_not_set(redis: Redis, redis_prefix: str) -> None:
    """Whoever drew an epoch and stood still comes back when a higher one has come and gone."""

    class Slow(MemoryJournal):
        def __init__(self) -> None:
            super().__init__()
            self.drawn = asyncio.Event()
            self.go_on = asyncio.Event()
            self.slow = True

        async def next_epoch(self, name: str) -> int:
            epoch = await super().next_epoch(name)
            if self.slow:
                self.slow = False
                self.drawn.set()
                await self.go_on.wait()
            return epoch

    journal = Slow()
    locks = RedisLocks(redis, journal, redis_prefix)
    stopped = asyncio.create_task(locks.acquire(0, seconds=60))
    await journal.drawn.wait()
    high = await taken(locks, 1)
    assert high.token // EPOCH == 2
    await redis.delete(*[key async for key in redis.scan_iter(match=redis_prefix + "*")])
    journal.go_on.set()
    late = await stopped
    assert late is not None
    assert late.token // EPOCH == 3


async def test_any_key_may_be_evicted(redis: Redis, redis_prefix: str) -> None:
    journal, tokens = MemoryJournal(), []
    for _ in range(4):
        keys = [key async for key in redis.scan_iter(match=redis_prefix + "*")]
        for key in [None, *keys]:
            if key is not None:
                await redis.delete(key)
            lease = await taken(RedisLocks(redis, journal, redis_prefix), len(tokens))
            tokens.append(lease.token)
    assert tokens == sorted(set(tokens))


async def test_a_count_that_is_used_up_begins_anew(redis: Redis, redis_prefix: str) -> None:
    locks = RedisLocks(redis, MemoryJournal(), redis_prefix)
    first = await taken(locks, 0)
    await locks.release(first)
    await redis.hset(f"{redis_prefix}{{locks}}:epoch", "count", EPOCH - 2)
    last = await taken(locks, 0)
    await locks.release(last)
    after = await taken(locks, 0)
    assert first.token < last.token == 2 * EPOCH - 1 < after.token
    other = await taken(locks, 1)
    assert other.token > 2 * EPOCH


async def test_without_redis(server: RedisServer, own: Redis) -> None:
    server.kill()
    locks, load = RedisLocks(own, MemoryJournal(), "tw:"), RedisLoad(own, "tw:")
    with pytest.raises(LockUnavailable):
        await locks.acquire(0, seconds=1)
    with pytest.raises(LockUnavailable):
        await locks.release(Lease(0, 1, "me"))
    with pytest.raises(LoadUnavailable):
        await load.taken(ANN)
    with pytest.raises(LoadUnavailable):
        await load.drop(ANN, uuid4(), uuid4(), token=1)


@pytest.fixture
async def pair(own_redis: Callable[..., RedisServer]) -> AsyncIterator[tuple[Redis, Redis]]:
    """A master and a replica that has taken over; the old master goes on, and does not know."""
    fast = ("repl-diskless-sync-delay 0", 'save ""')
    old_server = own_redis(*fast)
    new_server = own_redis(*fast, f"replicaof 127.0.0.1 {old_server.port}")
    old, new = connect(old_server.url), connect(new_server.url)
    yield old, new
    await old.aclose()
    await new.aclose()


async def followed(old: Redis, new: Redis) -> None:
    """Returns when the replica has what the master has."""
    async with asyncio.timeout(15):
        while (await new.info("replication")).get("master_link_status") != "up":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await old.wait(1, 10_000) == 1


async def test_tokens_of_a_replica_that_took_over_are_higher(pair: tuple[Redis, Redis]) -> None:
    old, new = pair
    journal = MemoryJournal()
    before, after = RedisLocks(old, journal, "tw:"), RedisLocks(new, journal, "tw:")
    for segment in range(4):
        await taken(before, segment, 0.001)
    await followed(old, new)
    await new.replicaof("NO", "ONE")
    for segment in range(4):
        theirs = await taken(before, segment)
        ours = await taken(after, segment)
        assert ours.token > theirs.token


async def test_a_replica_that_took_over_gives_no_place_at_first(
    pair: tuple[Redis, Redis],
) -> None:
    old, new = pair
    before, after = RedisLoad(old, "tw:"), RedisLoad(new, "tw:", settle=1.0)
    await complete(before)
    one = uuid4()
    await before.hold(ANN, one, 3)
    await followed(old, new)
    await new.replicaof("NO", "ONE")
    assert (await after.taken(ANN)).held == {one: 3}
    assert await keep(after, uuid4()) is Given.INCOMPLETE
    mark = await after.prepare_restore(ANN)
    assert not await after.restore(ANN, mark, load_suite.Taken())
    assert await keep(before, uuid4()) is Given.KEPT, "the old master does not know"
    async with asyncio.timeout(10):
        while not await after.restore(ANN, mark, load_suite.Taken()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await keep(after, uuid4()) is Given.KEPT
