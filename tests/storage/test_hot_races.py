"""Whether the index ever hides what was published, with everything that can go wrong going wrong.

Three workers append to one log and read it through one index. The dice delay every call on its way
to Redis and back, let it fail before or after it was carried out, take the index away as a whole or
a conversation of it, and let workers die between commit and index, whose entries a sweeper then
publishes. A read must be gapless, and show all that was published, or appended here, before it was
asked for.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from storage.base import Appended, Draft, Entry, Head
from storage.hot import HotLog, Tuning
from storage.memory import MemoryLog
from storage.redis import Redis, RedisError, connect
from tests.conformance.log_suite import draft
from tests.storage.hot import built, until
from tests.support.redis import RedisServer

CONVERSATIONS = [UUID(int=n) for n in range(6)]
WORKERS = 3
OPERATIONS = 1_500
HARSH = Tuning(
    keep=12, read=8, settle=0, pause=0.002, building=0.02, builds=2, together=2, behind=4
)
"""Small numbers, so that every bound is met."""


class Rough(MemoryLog):
    """A log whose answers take their time."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        await late(self._dice)
        found = await super().read_before(conversation, before=before, limit=limit)
        await late(self._dice)
        return found

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        found = await super().heads(conversations)
        await late(self._dice)
        return found


async def late(dice: random.Random) -> None:
    for _ in range(dice.choice((0, 0, 1, 3, 20))):
        await asyncio.sleep(0)
    if dice.random() < 0.05:
        await asyncio.sleep(dice.random() * 0.01)


class Trouble:
    """A way to Redis on which calls are late, or lost, or carried out unheard."""

    def __init__(self, redis: Redis, dice: random.Random) -> None:
        self._redis = redis
        self._dice = dice

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._redis, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            await late(self._dice)
            if self._dice.random() < 0.01:
                raise RedisError("lost on its way there")
            answer = await command(*arguments, **options)
            await late(self._dice)
            if self._dice.random() < 0.01:
                raise RedisError("lost on its way back")
            return answer

        return call


class Worker:
    """One process: its log, and what it has appended."""

    def __init__(self, inner: MemoryLog, redis: Redis, prefix: str, dice: random.Random) -> None:
        self.log = HotLog(inner, Trouble(redis, dice), prefix, HARSH)  # type: ignore[arg-type]
        self.told: dict[UUID, int] = defaultdict(int)
        """The last entry whose append returned here."""


class World:
    """All of them, and what is published."""

    def __init__(self, redis: Redis, prefix: str, seed: int) -> None:
        self.dice = random.Random(seed)
        self.inner = Rough(self.dice)
        self.redis = redis
        self.prefix = prefix
        self.workers = [Worker(self.inner, redis, prefix, self.dice) for _ in range(WORKERS)]
        self.published: dict[UUID, int] = defaultdict(int)
        self.outbox: list[Entry] = []

    async def operate(self) -> None:
        for _ in range(OPERATIONS // 8):
            await late(self.dice)
            act = self.dice.choices(
                (self.append, self.read, self.heads, self.die, self.sweep, self.lose),
                (30, 40, 20, 3, 10, 1),
            )[0]
            await act(self.dice.choice(self.workers), self.dice.choice(CONVERSATIONS))

    async def append(self, worker: Worker, id: UUID) -> None:
        drafts: list[Draft] = [draft(id) for _ in range(self.dice.randint(1, 3))]
        for result in await worker.log.append(drafts):
            assert isinstance(result, Appended)
            seq = result.entry.seq
            worker.told[id] = max(worker.told[id], seq)
            if worker.log.behind(id):
                self.outbox.append(result.entry)
            else:
                self.published[id] = max(self.published[id], seq)

    async def die(self, worker: Worker, id: UUID) -> None:
        """Between the commit and the index."""
        [result] = await self.inner.append([draft(id)])
        self.outbox.append(result.entry)

    async def sweep(self, worker: Worker, id: UUID) -> None:
        found, self.outbox = self.outbox[:5], self.outbox[5:]
        if await worker.log.ensure(found):
            for entry in found:
                self.published[entry.conversation] = max(
                    self.published[entry.conversation], entry.seq
                )
        else:
            self.outbox += found

    async def lose(self, worker: Worker, id: UUID) -> None:
        """FLUSHALL, or the eviction of some keys."""
        keys = await self.redis.keys(f"{self.prefix}*")
        if keys:
            await self.redis.delete(*self.dice.choice((keys, keys[:1])))

    async def read(self, worker: Worker, id: UUID) -> None:
        due = max(self.published[id], worker.told[id])
        after = max(due - self.dice.randint(0, 15), 0)
        if self.dice.random() < 0.7:
            found = await worker.log.read(id, after=after, limit=1_000)
            assert [entry.seq for entry in found] == [*range(after + 1, after + 1 + len(found))]
        else:
            found = await worker.log.read_before(id, limit=self.dice.randint(1, 15))
            last = found[-1].seq if found else 0
            assert [entry.seq for entry in found] == [*range(last - len(found) + 1, last + 1)]
            after = 0
        assert (found[-1].seq if found else after) >= due

    async def heads(self, worker: Worker, id: UUID) -> None:
        due = {id: max(self.published[id], worker.told[id]) for id in CONVERSATIONS}
        heads = await worker.log.heads(CONVERSATIONS)
        for id, least in due.items():
            assert least == 0 or heads[id].seq >= least


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_published_is_hidden(
    redis_server: RedisServer, redis_prefix: str, seed: int
) -> None:
    redis = connect(redis_server.url)
    world = World(redis, redis_prefix, seed)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(world.operate())
    logs = [worker.log for worker in world.workers]
    assert all(log.hits and log.rebuilds and log.errors for log in logs)
    for log in logs:  # And it recovers by itself.
        await until(lambda log=log: not log.lagging and not log._gate.shut)
        await built(log)
    for worker in world.workers:
        await world.heads(worker, CONVERSATIONS[0])
    for log in logs:
        await log.close()
    await redis.aclose()
