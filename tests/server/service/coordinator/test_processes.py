"""Several worker processes on a real store and a real Redis: who is stopped, who is killed, and a
Redis that forgets. Whatever happens, no agent ends with more than their capacity."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from server.domain.people import Caller, Role
from server.domain.refusal import Code
from server.service.coordinator import places
from server.service.coordinator.redis_load import RedisLoad
from server.service.coordinator.redis_locks import RedisLocks
from storage.open import Storage, open_storage
from storage.redis import Redis, connect
from storage.remote import serving
from tests.server.service.coordinator.test_crash import no_lock_is_left, open_ones
from tests.server.service.coordinator.worker import Task, Told
from tests.server.service.coordinator.world import SHOP, Ground, Process, recovered, unix_ms
from tests.support.redis import RedisServer
from transport.uuid7 import uuid7

CAPACITY = 3
PATIENCE = 60.0


class Site:
    """The store in this process, as in Tradewind's store process, and what workers share."""

    def __init__(self, storage: Storage, redis: Redis, url: str, place: str, prefix: str) -> None:
        assert storage.journal is not None
        locks = RedisLocks(redis, storage.journal, prefix)
        load = RedisLoad(redis, prefix)
        self.ground = Ground(storage.log, storage.directory, storage.journal, locks, load)
        self.redis = redis
        self.url = url
        self.place = place
        self.prefix = prefix
        self.agents: list[Caller] = []
        self.chats: list[UUID] = []

    async def populate(self, agents: int, chats: int) -> None:
        await self.ground.populate()
        self.agents = [Caller(Role.AGENT, uuid7(), SHOP) for _ in range(agents)]
        for agent in self.agents:
            await self.ground.employ(agent, CAPACITY)
        async with self.process() as process:
            self.chats = [await process.write() for _ in range(chats)]
            await process.conversations.flush()

    def process(self) -> Process:
        return Process(self.ground, now=unix_ms)

    def task(self, **more: object) -> Task:
        ids = [agent.id for agent in self.agents]
        defaults: dict[str, object] = {"claims": 1, "together": 1, "seed": 0}
        return Task(
            self.place,
            self.url,
            self.prefix,
            ids,
            self.chats,
            **(defaults | more),  # type: ignore[arg-type]
        )

    async def forget(self) -> None:
        """As FLUSHALL does, on a server that others use too."""
        keys = [key async for key in self.redis.scan_iter(match=self.prefix + "*")]
        if keys:
            await self.redis.delete(*keys)

    async def check(self, told: list[Told]) -> None:
        """Capacities, locks, and that everybody was told the truth."""
        async with self.process() as process:
            await recovered(process)
            await no_lock_is_left(self.ground)
            for agent in self.agents:
                assert await open_ones(process, agent) <= CAPACITY
        for chat in self.chats:
            entries = await self.ground.log.read(chat, limit=1_000)
            assigned = {e.client_id: e.seq for e in entries if e.kind == "assignment"}
            for one in told:
                if one.chat == chat and one.seq is not None:
                    assert assigned[one.id] == one.seq, "accepted, and not there"
                elif one.chat == chat and one.code == Code.AT_CAPACITY:
                    assert one.id not in assigned, "refused, and there"


@asynccontextmanager
async def opened(folder: Path, server: RedisServer, prefix: str) -> AsyncIterator[Site]:
    storage, redis = open_storage(f"sqlite:///{folder / 'shop.db'}"), connect(server.unix_url)
    place = folder / "store.sock"
    try:
        async with serving(place, storage.log, storage.directory, journal=storage.journal):
            yield Site(storage, redis, server.unix_url, str(place), prefix)
    finally:
        await redis.aclose()
        await storage.close()


@pytest.fixture
async def site(tmp_path: Path, redis_server: RedisServer, redis_prefix: str) -> AsyncIterator[Site]:
    async with opened(tmp_path, redis_server, redis_prefix) as site:
        yield site


@pytest.fixture
async def site_on_postgres(
    postgres_url: str, redis_server: RedisServer, redis_prefix: str
) -> AsyncIterator[Site]:
    """As on several hosts: every process reaches the database by itself."""
    storage = await asyncio.to_thread(open_storage, postgres_url)
    redis = connect(redis_server.unix_url)
    try:
        yield Site(storage, redis, redis_server.unix_url, postgres_url, redis_prefix)
    finally:
        await redis.aclose()
        await storage.close()


async def start(task: Task) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.service.coordinator.worker"),
        msgspec.json.encode(task).decode(),
        stdout=asyncio.subprocess.PIPE,
    )


async def end(worker: asyncio.subprocess.Process, *, killed: bool = False) -> list[Told]:
    """What it said until its end."""
    async with asyncio.timeout(PATIENCE):
        said, _ = await worker.communicate()
    assert worker.returncode == (-signal.SIGKILL if killed else 0)
    whole = [line for line in said.split(b"\n")[:-1] if line.startswith(b"{")]
    return [msgspec.json.decode(line, type=Told) for line in whole]


@pytest.mark.crash
@pytest.mark.parametrize("disturbance", ["nothing", "forgetting", "killing"])
async def test_many_claims_at_once(site: Site, disturbance: str):
    await many_claims_at_once(site, disturbance)


@pytest.mark.crash
async def test_many_claims_at_once_on_postgres(site_on_postgres: Site):
    await many_claims_at_once(site_on_postgres, "killing")


async def many_claims_at_once(site: Site, disturbance: str) -> None:
    """There is work for more than all agents may have, and nothing is closed."""
    await site.populate(agents=5, chats=30)
    tasks = [site.task(claims=15, together=8, seed=seed) for seed in range(3)]
    workers = [await start(task) for task in tasks]
    if disturbance == "killing":
        await asyncio.wait_for(workers[0].stdout.readline(), PATIENCE)  # type: ignore[union-attr]
        await asyncio.sleep(0.2)
        workers[0].kill()
    ends = [
        asyncio.create_task(end(worker, killed=disturbance == "killing" and n == 0))
        for n, worker in enumerate(workers)
    ]
    while disturbance == "forgetting" and not all(one.done() for one in ends):
        await site.forget()
        await asyncio.sleep(0.2)
    told = [one for task in await asyncio.gather(*ends) for one in task]
    await site.check(told)
    codes = Counter(one.code for one in told)
    assert codes[None] >= CAPACITY * 5, codes
    assert codes[Code.AT_CAPACITY] > 0, codes
    assert codes.keys() <= {None, Code.AT_CAPACITY, Code.BUSY, Code.UNAVAILABLE}
    if disturbance == "nothing":
        assert codes[None] + codes[Code.AT_CAPACITY] > 0.9 * len(told), codes
    async with site.process() as process:
        mine = [await open_ones(process, agent) for agent in site.agents]
    assert sum(mine) >= CAPACITY * 4, "places were lost"


@pytest.mark.crash
async def test_claims_while_conversations_are_closed(site: Site):
    await site.populate(agents=4, chats=60)
    tasks = [site.task(claims=15, together=6, seed=seed, closes=True) for seed in range(2)]
    workers = [await start(task) for task in tasks]
    told = [one for worker in workers for one in await end(worker)]
    await site.check(told)
    assert any(one.code == Code.AT_CAPACITY for one in told) or len(told) > 50


@pytest.mark.crash
@pytest.mark.parametrize(
    "step",
    [
        "RemoteJournal.put",
        "RedisLoad.keep",
        "RemoteLog.append",
        "RedisLoad.hold",
        "RedisLoad.drop",
        "RedisLocks.release",
    ],
)
async def test_a_holder_that_was_stopped_wakes_up_too_late(
    site: Site, step: str, monkeypatch: pytest.MonkeyPatch
):
    """Its lease runs out, somebody else finishes what it began and gives the place away; then it
    goes on as if nothing had been."""
    monkeypatch.setattr(places, "PATIENCE", 0.05)
    await site.populate(agents=1, chats=1)
    [agent], [chat] = site.agents, site.chats
    worker = await start(site.task(stop_at=step, lease=0.3))
    await stopped(worker.pid)
    async with site.process() as process:
        await recovered(process)
        others = [await process.write() for _ in range(CAPACITY + 1)]
        for other in others:
            try:
                await process.assign(agent, other)
            except Exception:
                break
        assert await open_ones(process, agent) == CAPACITY
        os.kill(worker.pid, signal.SIGCONT)
        told = await end(worker)
        await site.check(told)
        assert await open_ones(process, agent) == CAPACITY
        assert not (await site.ground.load.taken(agent.id)).kept
        held = await site.ground.having(agent, [chat])
        [one] = told
        assert (one.seq is not None) == bool(held)


async def stopped(pid: int) -> None:
    """Returns when the process stands still."""
    async with asyncio.timeout(PATIENCE):
        while not stands_still(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def stands_still(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
