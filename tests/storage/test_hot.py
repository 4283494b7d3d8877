"""A log with the hot index in front keeps the promises of the seam, and what the index is for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from bench.peers.redis import free_port
from storage.base import Entry, Head, MessageLog
from storage.commit import Bounds
from storage.hot import HotLog, Tuning
from storage.memory import MemoryLog
from storage.redis import Redis, connect
from tests.conformance.log_suite import LogSuite, MakeLog, draft, fresh
from tests.storage.hot import PATIENT, QUICK, Counting, Twice, built, until
from tests.support.redis import RedisServer, until_answers

MakeHot = Callable[..., HotLog]
Reach = Callable[[RedisServer], Redis]
OwnRedis = Callable[..., RedisServer]


class _Suite(LogSuite):
    kind = HotLog

    @pytest.fixture
    async def make(self, redis: Redis, redis_prefix: str) -> AsyncIterator[MakeLog]:
        made: list[HotLog] = []

        def make(bounds: Bounds | None = None) -> MessageLog:
            prefix = f"{redis_prefix}{len(made)}:"
            made.append(self.kind(MemoryLog(bounds), redis, prefix, PATIENT))
            return made[-1]

        yield make
        for log in made:
            await log.close()
            assert log.errors == 0


class TestHotLog(_Suite):
    """As it is used."""


class TestHotLogAskedTwice(_Suite):
    """Every read comes from the log once and from the index once."""

    kind = Twice


class TestHotLogWithoutRedis(LogSuite):
    """Nobody listens where Redis should be."""

    @pytest.fixture
    async def make(self, redis_prefix: str) -> AsyncIterator[MakeLog]:
        made: list[HotLog] = []
        redis = connect(f"redis://127.0.0.1:{free_port()}")

        def make(bounds: Bounds | None = None) -> MessageLog:
            made.append(HotLog(MemoryLog(bounds), redis, redis_prefix, QUICK))
            return made[-1]

        yield make
        for log in made:
            await log.close()
        await redis.aclose()


@pytest.fixture
async def reach() -> AsyncIterator[Reach]:
    """Connects to a server of one's own. Logs are closed before the connection is."""
    made: list[Redis] = []

    def reach(server: RedisServer) -> Redis:
        made.append(connect(server.url))
        return made[-1]

    yield reach
    for redis in made:
        await redis.aclose()


@pytest.fixture
async def make(reach: Reach, redis: Redis, redis_prefix: str) -> AsyncIterator[MakeHot]:
    """Opens logs on one index: `make(inner)`."""
    made: list[HotLog] = []

    def make(inner: MessageLog, tuning: Tuning = PATIENT, through: Redis = redis) -> HotLog:
        made.append(HotLog(inner, through, redis_prefix, tuning))
        return made[-1]

    yield make
    for log in made:
        await log.close()


async def said(log: MessageLog, conversation: UUID, many: int) -> list[Entry]:
    """Append so many."""
    results = await log.append([draft(conversation, b"%d" % n) for n in range(many)])
    return [fresh(result) for result in results]


async def seqs(log: MessageLog, conversation: UUID, after: int = 0, limit: int = 100) -> list[int]:
    return [entry.seq for entry in await log.read(conversation, after=after, limit=limit)]


async def test_a_resume_does_not_touch_the_log(make: MakeHot):
    inner, id = Counting(), uuid4()
    log = make(inner)
    entries = await said(log, id, 9)
    assert await log.heads([id]) == {id: Head(1, 9)}
    await built(log)
    inner.asked = 0
    entries += await said(log, id, 3)
    assert await log.heads([id]) == {id: Head(1, 12)}
    assert await log.read(id, after=9) == entries[9:]
    assert await log.read(id, after=12) == []
    assert await log.read(id) == entries
    assert await log.read_before(id, limit=5) == entries[-5:]
    assert await log.read_before(id, before=3) == entries[:2]
    assert await log.read_before(id, before=1) == []
    assert inner.asked == 0
    assert (log.hits, log.misses, log.rebuilds) == (7, 1, 1)


async def test_what_one_worker_appends_another_reads_from_the_index(make: MakeHot):
    inner, id = Counting(), uuid4()
    one, other = make(inner), make(inner)
    await said(one, id, 2)
    assert await seqs(other, id) == [1, 2]
    await built(other)
    inner.asked = 0
    await said(one, id, 2)
    assert await seqs(other, id) == [1, 2, 3, 4]
    assert await other.heads([id]) == {id: Head(1, 4)}
    await said(other, id, 1)
    assert await seqs(one, id, after=3) == [4, 5]
    assert inner.asked == 0


async def test_heads_of_many_are_one_round_trip(make: MakeHot, redis: Redis):
    log, ids = make(Counting()), [uuid4() for _ in range(32)]
    await log.append([draft(id) for id in ids])
    await log.heads(ids)
    await built(log)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert await log.heads(ids) == {id: Head(1, 1) for id in ids}
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == before + 1


async def test_appends_at_once_share_round_trips(make: MakeHot, redis: Redis):
    log, ids = make(MemoryLog()), [uuid4() for _ in range(200)]
    await said(log, ids[0], 1)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await asyncio.gather(*(log.append([draft(id)]) for id in ids))
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before < 20


async def test_only_the_last_entries_are_kept(make: MakeHot):
    inner, id = Counting(), uuid4()
    log = make(inner, msgspec.structs.replace(PATIENT, keep=10, read=10))
    await said(log, id, 25)
    await log.heads([id])
    await built(log)
    await said(log, id, 5)
    inner.asked = 0
    assert await seqs(log, id, after=20) == list(range(21, 31))
    assert len(await log.read_before(id, limit=10)) == 10
    assert inner.asked == 0
    assert await seqs(log, id, after=19) == list(range(20, 31))
    assert len(await log.read_before(id, limit=11)) == 11
    assert inner.asked == 2
    assert log.rebuilds == 1  # What is older than the index is no reason to build it anew.


async def test_a_long_body_is_read_from_the_log(make: MakeHot):
    inner, id = Counting(), uuid4()
    log = make(inner, msgspec.structs.replace(PATIENT, body=100))
    [long] = await log.append([draft(id, b"x" * 101)])
    await said(log, id, 2)
    await log.heads([id])
    await built(log)
    inner.asked = 0
    assert await log.heads([id]) == {id: Head(1, 3)}
    assert await seqs(log, id, after=1) == [2, 3]
    assert inner.asked == 0
    assert (await log.read(id))[0] == fresh(long)
    assert inner.asked == 1


async def test_an_idle_conversation_goes(make: MakeHot, redis: Redis, redis_prefix: str):
    log, id = make(MemoryLog(), msgspec.structs.replace(PATIENT, ttl=0.05)), uuid4()
    await said(log, id, 2)
    await seqs(log, id)
    await built(log)
    await asyncio.sleep(0.1)
    assert await redis.keys(f"{redis_prefix}*") == []
    assert await seqs(log, id) == [1, 2]


async def test_a_new_run_of_redis_is_left_empty_for_a_while(make: MakeHot):
    inner, id = Counting(), uuid4()
    log = make(inner, msgspec.structs.replace(PATIENT, settle=2))
    await said(log, id, 1)
    await log.heads([id])
    assert await seqs(log, id) == [1]
    assert log.rebuilds == 0
    await asyncio.sleep(2)
    for _ in range(100):  # The server's clock of whole seconds may show one less.
        await log.heads([id])
        await built(log)
        if log.rebuilds:
            break
        await asyncio.sleep(0.05)
    inner.asked = 0
    assert await seqs(log, id) == [1]
    assert inner.asked == 0


async def test_a_log_that_was_changed_otherwise_is_forgotten(make: MakeHot):
    inner, id = MemoryLog(), uuid4()
    one, other = make(inner), make(inner)
    await said(one, id, 1)
    await seqs(one, id)
    await built(one)
    await said(inner, id, 1)  # Past the index.
    one.forget([id])
    assert await seqs(one, id) == [1, 2]
    await until(lambda: not one.behind(id))
    assert await seqs(other, id) == [1, 2]


async def test_an_entry_that_was_indexed_late_leaves_no_gap(make: MakeHot):
    """A worker that died between its commit and the index."""
    inner, id = MemoryLog(), uuid4()
    log = make(inner)
    await said(log, id, 2)
    await seqs(log, id)
    await built(log)
    lost = await said(inner, id, 1)
    await said(log, id, 1)
    assert await seqs(log, id, after=1) == [2, 3, 4]
    assert await log.heads([id]) == {id: Head(1, 4)}
    await built(log)
    assert await log.ensure(lost)
    assert await seqs(log, id, after=1) == [2, 3, 4]


async def test_who_publishes_for_the_dead_makes_it_seen(make: MakeHot):
    inner, id = MemoryLog(), uuid4()
    log = make(inner)
    await said(log, id, 1)
    await seqs(log, id)
    await built(log)
    lost = await said(inner, id, 1)
    assert await log.ensure(lost)
    assert await seqs(log, id) == [1, 2]


async def test_a_resend_shows_what_the_dead_left_behind(make: MakeHot):
    inner, id, sent = MemoryLog(), uuid4(), draft(uuid4())
    sent = msgspec.structs.replace(sent, conversation=id)
    log = make(inner)
    await said(log, id, 1)
    await seqs(log, id)
    await built(log)
    await inner.append([sent])
    await log.append([sent])
    assert await seqs(log, id) == [1, 2]


async def test_flushed_it_is_built_again(make: MakeHot, reach: Reach, own_redis: OwnRedis):
    redis = reach(own_redis())
    inner, id = Counting(), uuid4()
    log = make(inner, through=redis)
    await said(log, id, 3)
    for n in range(3, 6):
        await redis.flushall()
        assert await seqs(log, id) == list(range(1, n + 1))
        await built(log)
        inner.asked = 0
        await said(log, id, 1)
        assert await seqs(log, id) == list(range(1, n + 2))
        assert inner.asked == 0
    assert log.errors == 0


async def test_what_a_redis_brings_back_from_its_disk_is_not_believed(
    make: MakeHot, reach: Reach, own_redis: OwnRedis
):
    """With `appendfsync everysec` a kill loses up to a second of what was confirmed."""
    server = own_redis("appendonly yes", "appendfsync always")
    redis = reach(server)
    inner, id = Counting(), uuid4()
    log = make(inner, QUICK, through=redis)
    await said(log, id, 2)
    await seqs(log, id)
    await built(log)
    kept = await redis.keys("*")
    server.kill()
    await said(log, id, 1)
    assert log.behind(id)
    server.start()
    await until(lambda: not log.behind(id))
    await until_answers(redis)
    assert set(kept) <= set(await redis.keys("*"))
    assert await seqs(log, id) == [1, 2, 3]
    other = make(inner, through=redis)
    assert await other.heads([id]) == {id: Head(1, 3)}


async def follows(replica: Redis) -> None:
    """Returns when it has all that its master has."""
    async with asyncio.timeout(10):
        while True:
            if (await replica.info("replication"))["master_link_status"] == "up":
                return
            await asyncio.sleep(0.01)


async def test_a_promoted_redis_begins_empty(make: MakeHot, reach: Reach, own_redis: OwnRedis):
    """And so does one that comes back to power: its run is the same, its line is not."""
    one, other = own_redis("repl-diskless-sync-delay 0"), own_redis("repl-diskless-sync-delay 0")
    redis, second = reach(one), reach(other)
    inner, id = Counting(), uuid4()
    log = make(inner, through=redis)
    await said(log, id, 2)
    await seqs(log, id)
    await built(log)
    await second.replicaof("127.0.0.1", one.port)
    await follows(second)
    replica = make(inner, through=second)
    assert await seqs(replica, id) == [1, 2]
    assert replica.errors  # Nobody asks a replica, which may be late.
    await second.replicaof("NO", "ONE")
    await redis.replicaof("127.0.0.1", other.port)
    await said(inner, id, 1)  # Another region's worker, say, that knew of the new master alone.
    await until(lambda: not replica._gate.shut)
    assert await seqs(replica, id) == [1, 2, 3]
    await follows(redis)
    await redis.replicaof("NO", "ONE")
    again = make(inner, through=redis)
    assert await again.heads([id]) == {id: Head(1, 3)}


async def test_in_a_full_redis_nothing_more_is_kept(
    make: MakeHot, reach: Reach, own_redis: OwnRedis
):
    """And what can be appended to no more goes, rather than staying behind."""
    redis = reach(own_redis("maxmemory 4mb", "maxmemory-policy noeviction"))
    inner, id, other = Counting(), uuid4(), uuid4()
    log = make(inner, through=redis)
    await said(log, id, 2)
    await said(log, other, 2)
    await seqs(log, id)
    await built(log)
    await redis.config_set("maxmemory", 1)
    assert await seqs(log, id) == [1, 2]
    assert await seqs(log, other) == [1, 2]
    assert (log.errors, log.hits, log.rebuilds) == (0, 1, 1)
    await said(log, id, 1)
    assert await seqs(log, id) == [1, 2, 3]
    await until(lambda: not log.behind(id))
    assert not [key for key in await redis.keys("*") if key.endswith(id.bytes)]
    assert await seqs(log, id) == [1, 2, 3]
    await redis.config_set("maxmemory", 0)
    await seqs(log, id)
    await built(log)
    assert log.rebuilds == 2
