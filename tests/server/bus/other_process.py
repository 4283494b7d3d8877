"""Another worker's process for the tests: serves jobs, or sends back what it hears on the bus.

python -m tests.server.bus.other_process jobs|bus URL PREFIX
"""

import asyncio
import sys

from server.bus.base import Event
from server.bus.redis import RedisBus
from server.bus.redis.jobs import RedisJobs
from storage.redis import Redis, connect
from tests.conformance.jobs_suite import QUICK


async def jobs(redis: Redis, prefix: str) -> None:
    """Count each job that is done."""

    async def work(payload: bytes) -> None:
        await asyncio.sleep(0.002)
        await redis.hincrby(prefix + "done", payload.decode(), 1)

    await RedisJobs(redis, prefix, QUICK).serve({"work": work})


async def bus(redis: Redis, prefix: str) -> None:
    """What happens on `there` happens on `back`."""
    bus = RedisBus(redis, prefix)

    def send_back(event: Event) -> None:
        bus.publish("back", event)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bus.run())
        await bus.subscribe("there", send_back)
        print("ready", flush=True)


if __name__ == "__main__":
    role, url, prefix = sys.argv[1:]
    asyncio.run({"jobs": jobs, "bus": bus}[role](connect(url), prefix))
