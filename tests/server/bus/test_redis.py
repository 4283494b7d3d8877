"""The bus on Redis keeps the promises of the seam, and says when it could not."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from server.bus.base import MAX_WAITING, Appended, Bus, Event, Typed
from server.bus.redis import RedisBus
from server.bus.redis.scripts import Keys
from storage.base import Entry
from storage.redis import Redis, connect
from tests.conformance.bus_suite import BusSuite, event, number
from tests.support.redis import (
    Authority,
    RedisServer,
    TLSRedisServer,
    Watched,
    started,
    until_answers,
)

PATIENCE = 8


@asynccontextmanager
async def running(redis: Redis, prefix: str = "tw:") -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis, prefix)
    async with asyncio.TaskGroup() as tasks:
        keeps = tasks.create_task(bus.run())
        try:
            yield bus
        finally:
            await bus.close()
            keeps.cancel()


@asynccontextmanager
async def worker(url: str) -> AsyncIterator[RedisBus]:
    """A bus with connections of its own."""
    redis = connect(url)
    try:
        async with running(redis) as bus:
            yield bus
    finally:
        await redis.aclose()


def nothing(event: Event) -> None: ...


async def round_trip(bus: RedisBus, topic: str = "shop") -> None:
    """Whatever was published on the topic before has been delivered after it."""
    back = asyncio.Event()
    marker = Typed(UUID(int=2), UUID(int=2), "v:marker", True)

    def heard(e: Event) -> None:
        if isinstance(e, Typed) and e.who == "v:marker":
            back.set()

    async with asyncio.timeout(PATIENCE):
        await bus.subscribe(topic, heard)
        bus.publish(topic, marker)
        await back.wait()
    await bus.unsubscribe(topic, heard)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  what it waits for tells nobody
            await asyncio.sleep(0.005)


def entry(seq: int, conversation: int = 1, epoch: int = 1) -> Appended:
    id = UUID(int=conversation)
    return Appended(UUID(int=9), Entry(id, epoch, seq, "v:x", UUID(int=seq), "message", b"", 0))


def seqs(events: list[Event]) -> list[int]:
    return [e.entry.seq for e in events if isinstance(e, Appended)]


class TestRedisBus(BusSuite):
    @pytest.fixture
    async def bus(self, redis: Redis, redis_prefix: str) -> AsyncIterator[Bus]:
        async with running(redis, redis_prefix) as bus:
            self._bus = bus
            yield bus

    async def settled(self) -> None:
        """Twice: what receivers publish comes later."""
        for _ in range(2):
            await self._bus.flushed()
            for topic in tuple(self._bus._receivers):
                await quiet(self._bus, topic)


async def quiet(bus: RedisBus, topic: str) -> None:
    """Returns when the reader is where the stream ends."""
    redis = bus._reader._redis
    async with asyncio.timeout(PATIENCE):
        while True:
            [(_, newest)] = await bus._reader._newest(redis, [topic])
            if bus._reader._places.get(topic) == newest:
                return
            await asyncio.sleep(0.002)


async def test_workers_see_one_order(redis_server: RedisServer, redis_prefix: str) -> None:
    one, other = connect(redis_server.url), connect(redis_server.unix_url)
    async with running(one, redis_prefix) as first, running(other, redis_prefix) as second:
        seen: dict[str, list[int]] = {"one": [], "other": []}
        await first.subscribe("shop", lambda e: seen["one"].append(number(e)))
        await second.subscribe("shop", lambda e: seen["other"].append(number(e)))
        for n in range(0, 600, 2):
            first.publish("shop", event(n))
            second.publish("shop", event(n + 1))
            await asyncio.sleep(0)
        await until(lambda: min(map(len, seen.values())) == 600)
        assert seen["one"] == seen["other"]
        for own in range(2):
            assert [n for n in seen["one"] if n % 2 == own] == list(range(own, 600, 2))
    await one.aclose()
    await other.aclose()


async def test_what_is_published_together_leaves_together(redis: Redis, redis_prefix: str) -> None:
    async with running(redis, redis_prefix) as bus:
        await bus.flushed()
        await redis.config_resetstat()
        for n in range(300):
            bus.publish(f"shop {n % 3}", event(n))
        await bus.flushed()
        calls = (await redis.info("commandstats"))["cmdstat_eval"]["calls"]
        assert calls <= 3  # Not one for each event.


async def test_entries_published_the_wrong_way_round_are_put_right(
    redis: Redis, redis_prefix: str
) -> None:
    async with running(redis, redis_prefix) as one, running(redis, redis_prefix) as other:
        got: list[Event] = []
        await one.subscribe("shop", got.append)
        for seq in (1, 3, 2, 2, 5, 6):
            (one if seq % 2 else other).publish("shop", entry(seq))
            await one.flushed()
            await other.flushed()
        await until(lambda: len(got) >= 3)
        assert seqs(got) == [1, 2, 3]
        await until(lambda: len(got) >= 5)  # 4 does not come: not for ever.
        assert seqs(got) == [1, 2, 3, 5, 6]


async def test_a_batch_whose_answer_was_lost_is_there_once(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.redis.ANSWER", 0.2)
    monkeypatch.setattr("server.bus.redis.reader.BLOCK", 50)
    server = own_redis()
    async with worker(server.url) as bus:
        got: list[Event] = []
        done: list[int] = []
        await bus.subscribe("shop", got.append)
        server.signal(signal.SIGSTOP)  # It has what was sent, and answers nobody.
        bus.publish("shop", entry(1), lambda: done.append(1))
        await asyncio.sleep(0.8)
        assert not done
        server.signal(signal.SIGCONT)
        await until(lambda: done == [1])
        bus.publish("shop", entry(2))
        await until(lambda: len(got) == 2)
        redis = connect(server.url)
        assert await redis.xlen(Keys("tw:").topic("shop")) == 2
        await redis.aclose()
        assert bus.gaps == 0, "it was the same run, and nothing was lost"


async def test_who_subscribes_while_it_is_away_waits(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis()
    server.kill()
    async with worker(server.url) as bus:
        got: list[Event] = []
        joins = asyncio.create_task(bus.subscribe("shop", got.append))
        gives_up = asyncio.create_task(bus.subscribe("other", got.append))
        await asyncio.sleep(0.1)
        gives_up.cancel()
        await asyncio.wait([gives_up])
        assert not joins.done()
        server.start()
        async with asyncio.timeout(PATIENCE):
            await joins
        bus.publish("shop", entry(1))
        bus.publish("other", entry(1, 2))
        await until(lambda: bool(got))
        await round_trip(bus, "other")
        assert seqs(got) == [1]
        assert bus.gaps == 0


async def test_a_restart_is_a_gap_and_what_waited_is_published(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    async with worker(server.url) as one, worker(server.url) as other:
        got: list[Event] = []
        done: list[int] = []
        await other.subscribe("shop", got.append)
        server.kill()
        for seq in range(1, 4):
            one.publish("shop", entry(seq), lambda seq=seq: done.append(seq))
        await asyncio.sleep(0.2)
        assert not done
        assert one.waiting == 3
        server.start()
        await until(lambda: done == [1, 2, 3] and other.gaps == 1)
        # What was added before `other` was back is behind the gap: in the log.
        one.publish("shop", entry(4))
        await until(lambda: seqs(got)[-1:] == [4])


async def test_a_flush_is_noticed_also_when_nobody_says_anything(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    redis = connect(server.url)
    async with worker(server.url) as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        bus.publish("shop", entry(1))
        await until(lambda: seqs(got) == [1])
        await redis.flushall()
        await until(lambda: bus.gaps == 1)
        bus.publish("shop", entry(2))
        await until(lambda: seqs(got) == [1, 2])
        await asyncio.sleep(1.2)
        assert bus.gaps == 1, "once is enough"
    await redis.aclose()


async def test_flushes_under_traffic_lose_nothing_unnoticed(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    await lose_nothing_unnoticed(server.url, flush=server.url)


async def test_kills_under_traffic_lose_nothing_unnoticed(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    await lose_nothing_unnoticed(server.url, kill=server)


async def test_kills_of_one_that_keeps_a_file_lose_nothing_unnoticed(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis("appendonly yes", "appendfsync everysec")
    await lose_nothing_unnoticed(server.url, kill=server)


async def lose_nothing_unnoticed(
    url: str, *, kill: RedisServer | None = None, flush: str | None = None
) -> None:
    """Two workers publish and listen while Redis suffers. Whatever a listener did not get was
    published before its last gap: it is told so after the last of what it missed."""
    sent: list[int] = []  # What is out, by the bus's own word.
    missed_at: list[int] = []  # How much was out at each gap.
    got: Counter[int] = Counter()
    async with worker(url) as one, worker(url) as other:
        other.on_gap = lambda: missed_at.append(len(sent))
        await other.subscribe("shop", lambda e: got.update(seqs([e])))
        seq = 0

        async def publish(seconds: float) -> None:
            nonlocal seq
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                seq += 1
                # One conversation each, so that the order has no part in it.
                one.publish("shop", entry(seq, seq), lambda seq=seq: sent.append(seq))
                await asyncio.sleep(0.0005)

        for _ in range(3):
            await publish(0.3)
            if kill is not None:
                kill.restart()
            if flush is not None:
                redis = connect(flush)
                await redis.flushall()
                await redis.aclose()
        await publish(1.2)
        await one.flushed()
        await round_trip(other)
        assert sent == list(range(1, seq + 1)), "everything was published in the end"
        assert max(got.values()) == 1
        missed = [n for n in sent if not got[n]]
        last = sent.index(missed[-1]) if missed else -1
        assert not missed or missed_at[-1] > last, "a gap came after what was missed"
        if kill is not None:
            assert missed_at


async def test_who_lags_behind_what_is_kept_has_a_gap(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.bus.redis.publisher.MAX_LENGTH", 100)
    server = own_redis("stream-node-max-entries 10")
    async with worker(server.url) as one, worker(server.url) as other:
        got: list[Event] = []
        await other.subscribe("shop", got.append)
        one.publish("shop", entry(1, 1))
        await until(lambda: len(got) == 1)
        assert other.gaps == 0
        for n in range(2, 1000):
            one.publish("shop", entry(n, n))  # Leaves faster than anybody reads.
        await until(lambda: seqs(got)[-1:] == [999])
        assert other.gaps
        assert len(got) < 999
        redis = connect(server.url)
        assert await redis.xlen(Keys("tw:").topic("shop")) < 150
        await redis.aclose()


async def test_fleeting_events_are_not_told_late_and_entries_are(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.bus.redis.publisher.LATE", 0.2)
    server = own_redis()
    async with worker(server.url) as bus:
        got: list[Event] = []
        out: list[str] = []
        await bus.subscribe("shop", got.append)
        server.kill()
        bus.publish("shop", event(1), lambda: out.append("fleeting"))
        bus.publish("shop", entry(1), lambda: out.append("entry"))
        await asyncio.sleep(0.4)
        server.start()
        await until(lambda: out == ["entry"])
        assert bus.late == 1
        assert bus.dropped == 0
    assert not any(isinstance(e, Typed) for e in got)


async def test_a_reader_that_was_away_skips_what_is_too_old(
    redis: Redis, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(redis, redis_prefix) as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        monkeypatch.setattr("server.bus.redis.reader.LATE", -1.0)
        bus.publish("shop", event(1))
        bus.publish("shop", entry(1))
        await until(lambda: bool(got))
        assert got == [entry(1)]
        assert bus.gaps == 0


async def test_topics_that_nobody_uses_are_deleted_and_others_are_not(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("publisher", "reader"):
        monkeypatch.setattr(f"server.bus.redis.{module}.SLEEP", 2)
    monkeypatch.setattr("server.bus.redis.reader.BEAT", 0.1)
    server = own_redis()
    redis = connect(server.url)
    async with worker(server.url) as bus:
        got: list[Event] = []
        await bus.subscribe("followed", got.append)
        for topic in ("followed", "forgotten"):
            bus.publish(topic, entry(1))
        await bus.flushed()
        await asyncio.sleep(3)
        assert await redis.exists(Keys("tw:").topic("followed"))
        assert not await redis.exists(Keys("tw:").topic("forgotten"))
        bus.publish("followed", entry(2))
        await until(lambda: seqs(got) == [1, 2])
        assert bus.gaps == 0
    await redis.aclose()


async def test_rubbish_in_a_stream_is_skipped(redis: Redis, redis_prefix: str) -> None:
    async with running(redis, redis_prefix) as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        bus.publish("shop", entry(1))
        await bus.flushed()
        key = Keys(redis_prefix).topic("shop")
        [(newest, _)] = await redis.xrevrange(key, count=1)
        ms, _, last = newest.partition(b"-")
        await redis.xadd(key, {"e": b"\xc1"}, id=b"%s-%d" % (ms, int(last) + 1))
        bus.publish("shop", entry(2))
        await until(lambda: seqs(got) == [1, 2])
        assert bus.gaps == 0


async def test_leaving_and_coming_back(redis: Redis, redis_prefix: str) -> None:
    async with running(redis, redis_prefix) as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        await bus.subscribe("shop", nothing)
        await bus.unsubscribe("shop", nothing)
        bus.publish("shop", entry(1))
        await until(lambda: seqs(got) == [1])
        await bus.unsubscribe("shop", got.append)
        bus.publish("shop", entry(2))
        await bus.flushed()
        await bus.subscribe("shop", got.append)
        bus.publish("shop", entry(3))
        await until(lambda: len(got) == 2)
        assert seqs(got) == [1, 3]
        assert bus.gaps == 0


async def test_what_is_written_and_does_not_arrive_makes_it_connect_again(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the master it listens to was replaced, and lives on without anybody saying so."""
    monkeypatch.setattr("server.bus.redis.reader.DEAF", 0.5)
    monkeypatch.setattr("server.bus.redis.reader.BEAT", 0.1)
    old, new = own_redis(), own_redis()
    master = old

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_unix_connection(str(master.socket))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(copy(reader, theirs[1]))
            tasks.create_task(copy(theirs[0], writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    door = await asyncio.start_server(forward, "127.0.0.1", 0)
    redis = connect(old.url)
    async with worker(f"redis://127.0.0.1:{door.sockets[0].getsockname()[1]}") as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        master = new
        for client in await redis.client_list():
            if client["cmd"] not in ("xread", "client|list"):
                await redis.client_kill_filter(_id=client["id"])
        await until(lambda: bus.gaps > 0)
        async with asyncio.timeout(PATIENCE):
            while any(c["cmd"] == "xread" for c in await redis.client_list()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        bus.publish("shop", entry(1))
        await until(lambda: seqs(got) == [1])
    await redis.aclose()
    door.close()


async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with started(TLSRedisServer(tmp_path / "redis", authority)) as server:
        async with worker(server.url) as one, worker(server.url) as other:
            got: list[Event] = []
            await one.subscribe("shop", got.append)
            other.publish("shop", entry(1))
            await until(lambda: seqs(got) == [1])


async def test_a_wrong_password_is_not_the_end(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("requirepass right")
    wrong = server.url.replace("://", "://:wrong@")
    redis = connect(server.url.replace("://", "://:right@"))
    async with worker(wrong) as bus:
        got: list[Event] = []
        done: list[int] = []
        bus.publish("shop", entry(1), lambda: done.append(1))
        joins = asyncio.create_task(bus.subscribe("shop", got.append))
        await asyncio.sleep(0.3)
        assert not done
        assert not joins.done()
        await redis.config_set("requirepass", "wrong")  # Mended, at the other end.
        await until(lambda: done == [1] and joins.done())
    await redis.aclose()


async def test_one_that_is_full_is_as_one_that_is_away(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    redis = connect(server.url)
    async with worker(server.url) as bus:
        got: list[Event] = []
        await bus.subscribe("shop", got.append)
        await redis.config_set("maxmemory", 1)
        bus.publish("shop", entry(1))
        await asyncio.sleep(0.2)
        assert bus.waiting == 1
        await redis.config_set("maxmemory", 0)
        await until(lambda: seqs(got) == [1])
        await round_trip(bus)
        assert seqs(got) == [1]
        assert bus.gaps == 0
    await redis.aclose()


async def test_what_waits_while_it_is_away_is_bounded(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_redis()
    server.kill()
    async with worker(server.url) as bus:
        bus.publish("shop", entry(1))
        await asyncio.sleep(0.1)  # This one is under way, again and again.
        for seq in range(2, MAX_WAITING + 10):
            bus.publish("shop", entry(seq))
        assert bus.dropped == 8
    monkeypatch.setattr("server.bus.redis.publisher.MAX_WAITING_BYTES", 1000)
    async with worker(server.url) as bus:
        for seq in range(100):
            bus.publish("shop", entry(seq))
        assert bus.waiting + bus.dropped == 100
        assert 0 < bus.waiting <= 20
        assert bus.counts["dropped"] == bus.dropped


async def test_sentinel_leads_to_another_master_under_traffic(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    try:
        await watched.start()
        async with worker(watched.url) as one, worker(watched.url) as other:
            got: list[Event] = []
            await other.subscribe("shop", got.append)
            one.publish("shop", entry(1))
            await until(lambda: seqs(got) == [1])
            watched.master.kill()
            done: list[int] = []
            for seq in range(2, 50):
                one.publish("shop", entry(seq), lambda seq=seq: done.append(seq))
                await asyncio.sleep(0.02)
            await until(lambda: done == list(range(2, 50)))
            await until(lambda: other.gaps == 1)
            one.publish("shop", entry(50))
            await until(lambda: seqs(got)[-1:] == [50])
            assert seqs(got) == sorted(set(seqs(got)))
        redis = connect(watched.replica.url)
        await until_answers(redis)
        assert await redis.exists(Keys("tw:").topic("shop"))
        await redis.aclose()
    finally:
        watched.kill()
