"""The hot index in front of PostgreSQL, as it is used: the suite of the seam, and two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from storage.base import Appended
from storage.commit import Bounds
from storage.hot import HotLog
from storage.open import Storage, open_storage
from storage.redis import Redis
from tests.conformance.log_suite import LogSuite, MakeLog, draft
from tests.storage.hot import PATIENT, built


class TestHotLogOnPostgres(LogSuite):
    @pytest.fixture
    async def make(
        self, postgres_url: str, redis: Redis, redis_prefix: str
    ) -> AsyncIterator[MakeLog]:
        made: list[tuple[HotLog, Storage]] = []

        def make(bounds: Bounds | None = None) -> HotLog:
            storage = open_storage(postgres_url, bounds)
            made.append((HotLog(storage.log, redis, redis_prefix, PATIENT), storage))
            return made[-1][0]

        yield make
        for log, storage in made:
            await log.close()
            await storage.close()


async def test_workers_with_stores_of_their_own_share_an_index(
    postgres_url: str, redis: Redis, redis_prefix: str
):
    """Each appends to the same conversations while both read them."""
    storages = [open_storage(postgres_url) for _ in range(2)]
    logs = [HotLog(storage.log, redis, redis_prefix, PATIENT) for storage in storages]
    ids = [uuid4() for _ in range(4)]
    published: dict[UUID, int] = dict.fromkeys(ids, 0)

    async def person(n: int) -> None:
        for turn in range(20):
            log, other, id = logs[turn % 2], logs[1 - turn % 2], ids[(n + turn) % len(ids)]
            [result] = await log.append([draft(id)])
            assert isinstance(result, Appended)
            assert not log.behind(id)
            published[id] = max(published[id], result.entry.seq)
            due = published[id]
            heads = await other.heads([id])
            found = await other.read(id, after=max(due - 3, 0))
            assert heads[id].seq >= due
            assert found[-1].seq >= due
            assert [e.seq for e in found] == [*range(found[0].seq, found[-1].seq + 1)]

    async with asyncio.TaskGroup() as tasks:
        for n in range(8):
            tasks.create_task(person(n))
    assert sum(published.values()) == 8 * 20
    for log in logs:
        assert log.hits > log.misses
        assert log.errors == 0
        await built(log)
        for id in ids:
            assert len(await log.read(id)) == published[id]
        await log.close()
    for storage in storages:
        await storage.close()
