"""A worker process for test_processes.py: takes conversations for agents until it is told to stop.

Run by it: worker.py JSON-OF-A-TASK. Says what came of each claim, a line of JSON each.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from server.domain.people import Caller, Role
from server.domain.refusal import Refusal
from server.service.coordinator.redis_load import RedisLoad
from server.service.coordinator.redis_locks import RedisLocks
from storage.open import open_remote, open_storage
from storage.redis import connect
from tests.server.service.coordinator.world import SHOP, Fuse, Ground, Process, unix_ms
from transport.uuid7 import uuid7


class Task(Struct, frozen=True):
    """`store`: a URL, or the socket of a store process. `stop_at`: before which step to stop
    oneself (SIGSTOP), once."""

    store: str
    redis: str
    prefix: str
    agents: list[UUID]
    chats: list[UUID]
    claims: int
    together: int
    seed: int
    lease: float = 1.0
    stop_at: str | None = None
    closes: bool = False


class Told(Struct, frozen=True):
    """What came of a claim: the seq, or the code of the refusal."""

    agent: UUID
    chat: UUID
    id: UUID
    seq: int | None
    code: str | None


class StopAt(Fuse):
    """Stops the process once, before a step of that name."""

    def __init__(self, name: str | None) -> None:
        super().__init__()
        self._name = name

    async def step(self, name, call):  # type: ignore[no-untyped-def]
        if name == self._name:
            self._name = None
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().step(name, call)


async def work(process: Process, task: Task, chance: random.Random) -> None:
    for _ in range(task.claims):
        agent, chat, id = chance.choice(task.agents), chance.choice(task.chats), uuid7()
        if task.closes and chance.random() < 0.3:
            await close(process, chat, agent)
            continue
        seq = code = None
        try:
            entry = await process.assign(Caller(Role.AGENT, agent, SHOP), chat, id)
            seq = entry.seq
        except Refusal as refusal:
            code = refusal.code.value
        say(Told(agent, chat, id, seq, code))


async def close(process: Process, chat: UUID, agent: UUID) -> None:
    try:
        await process.set_status(chat, "closed", by=Caller(Role.AGENT, agent, SHOP))
    except Refusal:
        pass


def say(told: Told) -> None:
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()


async def main(task: Task) -> None:
    by_url = "://" in task.store
    storage = open_storage(task.store) if by_url else open_remote(Path(task.store))
    redis = connect(task.redis)
    assert storage.journal is not None
    locks = RedisLocks(redis, storage.journal, task.prefix)
    load = RedisLoad(redis, task.prefix)
    ground = Ground(storage.log, storage.directory, storage.journal, locks, load)
    fuse = StopAt(task.stop_at)
    process = Process(ground, fuse, lease=task.lease, now=unix_ms, stale=2.0)
    try:
        async with process, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(process.coordinator.watch())
            async with asyncio.TaskGroup() as claims:
                for n in range(task.together):
                    claims.create_task(work(process, task, random.Random(f"{task.seed} {n}")))
            watching.cancel()
        await process.conversations.flush()
    finally:
        await redis.aclose()
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Task)))
