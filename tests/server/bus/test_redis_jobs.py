"""The jobs of many workers, some of which die or stall, on a Redis that may die too."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from server.bus.jobs import JobsUnavailable, Terms
from server.bus.redis.jobs import RedisJobs
from storage.redis import Redis, connect
from tests.conformance.jobs_suite import QUICK, JobsSuite, Make, none_left, serving
from tests.support.redis import RedisServer


class TestRedisJobs(JobsSuite):
    @pytest.fixture
    def make(self, redis: Redis, redis_prefix: str) -> Make:
        return lambda terms: RedisJobs(redis, redis_prefix, terms)


async def nothing(payload: bytes) -> None: ...


async def test_the_late_end_of_a_stalled_one_does_no_harm(redis: Redis, redis_prefix: str) -> None:
    """It finishes while another, who took the job over, works on it."""
    # A process that stalls does not watch its handlers either.
    one = RedisJobs(redis, redis_prefix, Terms(stalled=60, timeout=60))
    other = RedisJobs(redis, redis_prefix, Terms(stalled=0.3, timeout=10))
    slow, begun, stolen, finish = (asyncio.Event() for _ in range(4))
    done: list[str] = []

    async def stalls(payload: bytes) -> None:
        begun.set()
        await slow.wait()
        done.append("late")

    async def takes_over(payload: bytes) -> None:
        stolen.set()
        await finish.wait()
        done.append("taken over")

    async with serving(one, work=stalls):
        await one.put("work", b"job")
        await begun.wait()
        async with serving(other, work=takes_over):
            await stolen.wait()
            slow.set()
            await none_left(one)
            assert done == ["late"]
            finish.set()
            async with asyncio.timeout(5):
                while len(done) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert done == ["late", "taken over"]
    assert await other.waiting("work") == 0
    assert (other.counts.stolen, other.counts.failed, other.counts.parked) == (1, 0, 0)


async def test_one_that_kills_whoever_begins_it_is_parked(redis: Redis, redis_prefix: str) -> None:
    jobs = RedisJobs(redis, redis_prefix, QUICK)
    await jobs.put("work", b"poison")
    begun = 0

    async def dies(payload: bytes) -> None:
        nonlocal begun
        begun += 1
        server.cancel()
        await asyncio.sleep(60)

    for _ in range(QUICK.tries):
        async with serving(jobs, work=dies) as server:
            await asyncio.wait([server])
    async with serving(jobs, work=dies) as server:
        await none_left(jobs)
    assert begun == QUICK.tries
    [parked] = await jobs.parked("work")
    assert "died or stalled" in parked.reason


async def test_servers_that_are_gone_are_forgotten_unless_they_left_a_job(
    redis: Redis, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.bus.redis.jobs.FORGET", 200)
    jobs = RedisJobs(redis, redis_prefix, QUICK)
    key = f"{redis_prefix}jobs:work"
    for _ in range(3):
        async with serving(jobs, work=nothing):
            await jobs.put("work", b"job")
            await none_left(jobs)
    await redis.xadd(key, {"p": b"left"})
    await redis.xreadgroup("workers", "left one", {key: ">"})
    await asyncio.sleep(0.2)
    monkeypatch.setattr("server.bus.redis.jobs._Server._steal", lambda *_: asyncio.sleep(0, []))
    assert len(await redis.xinfo_consumers(key, "workers")) == 4
    async with serving(jobs, work=nothing), asyncio.timeout(5):
        # Two: the one that serves now is known once it has begun a job.
        while len(left := await redis.xinfo_consumers(key, "workers")) > 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert b"left one" in {one["name"] for one in left}


async def test_redis_away_and_back_empty(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis()
    redis = connect(server.url)
    jobs = RedisJobs(redis, terms=QUICK)
    done: list[bytes] = []

    async def work(payload: bytes) -> None:
        done.append(payload)

    async with serving(jobs, work=work):
        await jobs.put("work", b"1")
        await none_left(jobs)
        server.kill()
        with pytest.raises(JobsUnavailable):
            await jobs.put("work", b"2")
        with pytest.raises(JobsUnavailable):
            await jobs.waiting("work")
        await asyncio.sleep(0.2)
        server.start()
        await jobs.put("work", b"3")
        await none_left(jobs)
        await redis.flushall()
        await jobs.put("work", b"4")
        await none_left(jobs)
        await redis.config_set("maxmemory", 1)
        with pytest.raises(JobsUnavailable, match="maxmemory"):
            await jobs.put("work", b"5")
    assert done == [b"1", b"3", b"4"]
    await redis.aclose()


async def test_what_cannot_be_finished_is_done_again(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.redis.ANSWER", 0.2)
    monkeypatch.setattr("server.bus.redis.jobs.BLOCK", 50)
    server = own_redis()
    redis = connect(server.url)
    jobs = RedisJobs(redis, terms=QUICK)
    done: list[bytes] = []

    async def work(payload: bytes) -> None:
        done.append(payload)
        if len(done) == 1:
            await redis.client_kill_filter(_type="normal", skipme=False)
            server.signal(signal.SIGSTOP)
            asyncio.get_running_loop().call_later(0.5, server.signal, signal.SIGCONT)

    async with serving(jobs, work=work):
        await jobs.put("work", b"job")
        await asyncio.sleep(0.7)
        await none_left(jobs)
    assert len(done) >= 2
    assert set(done) == {b"job"}
    assert jobs.counts.parked == 0
    await redis.aclose()
