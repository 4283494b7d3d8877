"""Bus and jobs between processes that are killed."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.bus.base import Event
from server.bus.redis.jobs import RedisJobs
from storage.redis import Redis
from tests.conformance.jobs_suite import QUICK, none_left
from tests.server.bus.test_redis import entry, running, seqs, until
from tests.support.redis import RedisServer

ROOT = Path(__file__).parents[3]


async def start(role: str, url: str, prefix: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.server.bus.other_process", role, url, prefix)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


@asynccontextmanager
async def processes() -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """A list of some, all of which are dead in the end."""
    started: list[asyncio.subprocess.Process] = []
    try:
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_events_go_there_and_back(
    redis_server: RedisServer, redis: Redis, redis_prefix: str
) -> None:
    async with processes() as others, running(redis, redis_prefix) as bus:
        others.append(await start("bus", redis_server.url, redis_prefix))
        got: list[Event] = []
        await bus.subscribe("back", got.append)
        assert others[0].stdout is not None
        async with asyncio.timeout(20):
            assert await others[0].stdout.readline() == b"ready\n"
        for seq in range(1, 501):
            bus.publish("there", entry(seq))
            if seq % 10 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(got) == 500)
        assert seqs(got) == list(range(1, 501))
        assert bus.gaps == 0


async def test_workers_are_killed_and_every_job_is_done(
    redis_server: RedisServer, redis: Redis, redis_prefix: str
) -> None:
    """kill -9, again and again, while more jobs come."""
    jobs, choose = RedisJobs(redis, redis_prefix, QUICK), random.Random(4)
    count = 0
    async with processes() as workers:
        alive = [await start("jobs", redis_server.url, redis_prefix) for _ in range(2)]
        workers += alive
        for _ in range(4):
            for _ in range(150):
                await jobs.put("work", b"%d" % count)
                count += 1
            async with asyncio.timeout(20):
                while await redis.hlen(redis_prefix + "done") < count - 100:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            victim = alive.pop(choose.randrange(2))
            victim.kill()
            alive.append(await start("jobs", redis_server.url, redis_prefix))
            workers.append(alive[-1])
        await none_left(jobs)
    done = await redis.hgetall(redis_prefix + "done")
    assert set(done) == {b"%d" % n for n in range(count)}
    twice = sum(int(times) - 1 for times in done.values())
    # Only what was under way when a worker died may have been done twice.
    assert twice <= 4 * QUICK.concurrency
    assert await jobs.parked("work") == []
