"""Redis is flushed, frozen and killed under load: nothing is missing, and the index comes back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.base import Appended
from storage.hot import HotLog
from storage.memory import MemoryLog
from storage.redis import connect
from tests.conformance.log_suite import draft
from tests.storage.hot import QUICK, built, until
from tests.support.redis import RedisServer

OwnRedis = Callable[..., RedisServer]
BRISK = msgspec.structs.replace(QUICK, deadline=0.2, patience=0.5)


class Load:
    """Two workers, each with a connection of its own, and people who write and read through both.

    Each person has a conversation and goes from one worker to the other; everything that was
    published, or appended by the worker that is asked, must be there.
    """

    def __init__(self, logs: list[HotLog], people: int) -> None:
        self.logs = logs
        self.published: dict[UUID, int] = {uuid4(): 0 for _ in range(people)}
        self.unpublished: dict[UUID, list[Appended]] = {}
        self.reads = self.slowest = 0.0
        self.stopped = False

    async def person(self, id: UUID) -> None:
        told = [0] * len(self.logs)
        while not self.stopped:
            for n, log in enumerate(self.logs):
                began = asyncio.get_running_loop().time()
                [result] = await log.append([draft(id)])
                assert isinstance(result, Appended)
                told[n] = result.entry.seq
                await self.publish(log, id, result)
                for m, other in enumerate(self.logs):
                    await self.check(other, id, max(self.published[id], told[m]))
                took = asyncio.get_running_loop().time() - began
                self.slowest = max(self.slowest, took)
            await asyncio.sleep(0.01)

    async def publish(self, log: HotLog, id: UUID, result: Appended) -> None:
        """At once, or as a sweeper does it later."""
        waiting = [*self.unpublished.pop(id, []), result]
        if not log.behind(id) and await log.ensure([one.entry for one in waiting]):
            self.published[id] = waiting[-1].entry.seq
        else:
            self.unpublished[id] = waiting

    async def check(self, log: HotLog, id: UUID, due: int) -> None:
        heads = await log.heads([id])
        assert heads[id].seq >= due
        after = max(due - 3, 0)
        found = await log.read(id, after=after)
        assert [entry.seq for entry in found] == list(range(after + 1, after + 1 + len(found)))
        assert found[-1].seq >= due
        self.reads += 2

    async def hits_come_back(self) -> None:
        """Returns when every worker has answered from the index again."""
        before = [log.hits for log in self.logs]
        await until(
            lambda: all(log.hits > hits for log, hits in zip(self.logs, before, strict=True))
        )


@asynccontextmanager
async def under_load(server: RedisServer, people: int = 12) -> AsyncIterator[Load]:
    inner, clients = MemoryLog(), [connect(server.url) for _ in range(2)]
    load = Load([HotLog(inner, client, "tw:hot:", BRISK) for client in clients], people)
    async with asyncio.TaskGroup() as tasks:
        for id in load.published:
            tasks.create_task(load.person(id))
        await load.hits_come_back()
        yield load
        await load.hits_come_back()
        load.stopped = True
    for log in load.logs:
        await until(lambda log=log: not log.lagging)
        await built(log)
    for id, seq in load.published.items():
        for log in load.logs:
            await load.check(log, id, seq)
    for log in load.logs:
        await log.close()
    for client in clients:
        await client.aclose()


async def test_flushed(own_redis: OwnRedis):
    server = own_redis()
    redis = connect(server.url)
    async with under_load(server) as load:
        for _ in range(10):
            await redis.flushall()
            await asyncio.sleep(0.05)
    assert sum(log.errors for log in load.logs) == 0
    await redis.aclose()


@pytest.mark.crash
async def test_killed_and_restarted(own_redis: OwnRedis):
    server = own_redis("appendonly yes", "appendfsync everysec")
    async with under_load(server) as load:
        for _ in range(4):
            server.kill()
            await asyncio.sleep(0.1)
            server.start()
            await load.hits_come_back()
    assert all(log.errors for log in load.logs)


async def test_frozen(own_redis: OwnRedis):
    server = own_redis()
    async with under_load(server) as load:
        for _ in range(3):
            server.signal(signal.SIGSTOP)
            reads = load.reads
            await asyncio.sleep(0.6)
            assert load.reads > reads  # The log goes on without it,
            assert all(log.lagging for log in load.logs)
            server.signal(signal.SIGCONT)
            await load.hits_come_back()
            for log in load.logs:  # and with it again.
                await until(lambda log=log: not log._gate.shut)


async def test_one_worker_alone_is_cut_off(own_redis: OwnRedis):
    """Another worker's index must not hide what this one cannot put there."""
    server = own_redis()
    redis = connect(server.url)
    await redis.acl_setuser("cut", enabled=True, nopass=True, keys=["*"], commands=["+@all"])
    cut = connect(f"redis://cut:any@127.0.0.1:{server.port}/0")
    inner, id = MemoryLog(), uuid4()
    one, other = HotLog(inner, cut, tuning=QUICK), HotLog(inner, redis, tuning=BRISK)
    await one.append([draft(id)])
    await other.heads([id])
    await built(other)
    await redis.acl_setuser("cut", commands=["-@all"])
    [result] = await one.append([draft(id)])
    assert one.behind(id)
    assert [entry.seq for entry in await one.read(id)] == [1, 2]
    # It is not published, so nobody else need know. Who publishes it makes it known.
    assert await other.ensure([result.entry])
    assert [entry.seq for entry in await other.read(id)] == [1, 2]
    await one.append([draft(id)])
    await redis.acl_setuser("cut", commands=["+@all"])
    await until(lambda: not one.behind(id))
    assert [entry.seq for entry in await other.read(id)] == [1, 2, 3]
    for log in (one, other):
        await log.close()
    for client in (cut, redis):
        await client.aclose()


async def test_a_deletion_counts_for_what_was_before_it(own_redis: OwnRedis):
    """Its answer may come when more has fallen behind, and somebody has built the set again."""
    server = own_redis()
    redis = connect(server.url)
    await redis.acl_setuser(
        "cut", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-zadd"]
    )
    cut = connect(f"redis://cut:any@127.0.0.1:{server.port}/0")
    inner, id = MemoryLog(), uuid4()
    one, other = HotLog(inner, cut, tuning=BRISK), HotLog(inner, redis, tuning=BRISK)
    dropped, answered = asyncio.Event(), asyncio.Event()
    drop = one._behind._index.drop

    async def late(conversations: Iterable[UUID]) -> bool:
        done = await drop(conversations)
        dropped.set()
        await answered.wait()
        return done

    one._behind._index.drop = late  # type: ignore[method-assign]
    await other.append([draft(id)])
    await other.heads([id])
    await built(other)
    await one.append([draft(id)])
    await dropped.wait()
    await other.heads([id])
    await built(other)
    await one.append([draft(id)])
    answered.set()
    await until(lambda: not one.behind(id))
    assert (await other.heads([id]))[id].seq == 3
    for log in (one, other):
        await log.close()
    for client in (cut, redis):
        await client.aclose()
