"""The stores on PostgreSQL keep the promises of the seams, and those of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from storage.base import Appended, Directory, Shop, StoreBusy
from storage.commit import Bounds
from storage.open import Storage, open_storage
from storage.postgres import PostgresDatabase, PostgresLog, pool
from storage.postgres.connect import connected
from storage.records import numbered
from storage.url import PostgresPlace, parse
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import LogSuite, MakeLog, draft, fresh
from tests.conformance.outbox_suite import OutboxSuite, Stores, talk


@pytest.fixture
async def storage(postgres_url: str) -> AsyncIterator[Storage]:
    storage = open_storage(postgres_url)
    yield storage
    await storage.close()


@pytest.fixture
def place(postgres_url: str) -> PostgresPlace:
    place = parse(postgres_url)
    assert isinstance(place, PostgresPlace)
    return place


class TestPostgresLog(LogSuite):
    @pytest.fixture
    async def make(self, postgres_url: str) -> AsyncIterator[MakeLog]:
        made: list[Storage] = []

        def make(bounds: Bounds | None = None) -> object:
            made.append(open_storage(postgres_url, bounds))
            return made[-1].log

        yield make
        for storage in made:
            await storage.close()


class TestPostgresDirectory(DirectorySuite):
    @pytest.fixture
    def directory(self, storage: Storage) -> Directory:
        return storage.directory


class TestPostgresOutbox(OutboxSuite):
    @pytest.fixture
    async def stores(self, storage: Storage, place: PostgresPlace) -> Stores:
        async def wait(seconds: float) -> None:
            """The past is moved, not the clock: it is the database's."""
            async with connected(place) as connection:
                await connection.execute(
                    "UPDATE outbox SET at = at - make_interval(secs => $1), "
                    "claimed_at = claimed_at - make_interval(secs => $1)",
                    seconds,
                )

        return Stores(storage.log, storage.directory, storage.outbox, wait)


async def test_what_was_stored_is_there_after_reopening(postgres_url: str):
    conversation, sent = uuid4(), draft(uuid4())
    storage = open_storage(postgres_url)
    [first] = await storage.log.append([sent])
    await storage.log.append([draft(conversation)])
    await storage.directory.put_shop(Shop("zebra", "Zebra", ()))
    await storage.close()

    storage = open_storage(postgres_url)
    assert await storage.log.append([sent]) == [Appended(fresh(first), fresh=False)]
    [second] = await storage.log.append([draft(conversation)])
    assert fresh(second).seq == 2
    assert await storage.directory.list_shops() == [Shop("zebra", "Zebra", ())]
    await storage.close()


async def test_two_channels_are_settled_apart(postgres_url: str, storage: Storage):
    conversation = await talk(Stores(storage.log, storage.directory, storage.outbox, None))
    database = PostgresDatabase(parse(postgres_url), channels=("bus", "peer:asia"))
    await PostgresLog(database).append([draft(conversation.id)])
    await storage.outbox.settle([(conversation.id, 1)])
    assert await storage.outbox.waiting() == 0
    [due] = await storage.outbox.due(older_than=0, channel="peer:asia")
    assert due.entry.seq == 1
    await database.close()


async def test_many_writers_on_one_database(postgres_url: str):
    """Each has a connection of its own, as processes have; all write to the same conversations."""
    stores = [open_storage(postgres_url) for _ in range(4)]
    conversations = [uuid4() for _ in range(3)]
    twins = [draft(id, b"twin") for id in conversations for _ in range(5)]

    async def write(storage: Storage, name: str) -> list[list[Appended]]:
        told = []
        for n in range(20):
            sent = [draft(id, author=name) for id in conversations]
            told += await storage.log.append([*sent, twins[n % len(twins)]])
        return told

    writers = [write(storage, f"agent:{n}") for n, storage in enumerate(stores)]
    told = [result for results in await asyncio.gather(*writers) for result in results]
    for storage in stores:
        for id in conversations:
            entries = await storage.log.read(id, limit=1_000)
            assert [entry.seq for entry in entries] == list(range(1, 86))
            assert len({entry.client_id for entry in entries}) == 85
    # Each client id was fresh to exactly one of those who sent it.
    assert sum(result.fresh for result in told) == 3 * 85
    for storage in stores:
        await storage.close()


@pytest.mark.parametrize("bad", ["\ud800", "\0"])
async def test_text_that_no_database_keeps(storage: Storage, bad: str):
    conversation = uuid4()
    calls = [storage.log.append([draft(conversation)]) for _ in range(3)]
    calls.insert(1, storage.log.append([draft(conversation), draft(conversation, author=bad)]))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told.pop(1), ValueError)
    assert [fresh(result).seq for [result] in told] == [1, 2, 3]
    with pytest.raises(ValueError):
        await storage.directory.put_shop(Shop("zebra", bad, ()))


async def test_work_that_fails_alone(storage: Storage, place: PostgresPlace):
    """What the database itself refuses in a group, for whatever reason, fails nobody else."""
    async with connected(place) as connection:
        await connection.execute("ALTER TABLE entries ADD CHECK (body <> 'bad')")
    conversation, other = uuid4(), uuid4()
    calls = [storage.log.append([draft(conversation)]) for _ in range(3)]
    calls.insert(1, storage.log.append([draft(other), draft(conversation, b"bad")]))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told.pop(1), asyncpg.CheckViolationError)
    assert [fresh(result).seq for [result] in told] == [1, 2, 3]
    assert await storage.log.read(other) == []


async def test_calls_are_bounded(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "WAITING", 5)
    conversation = uuid4()
    calls = [storage.log.read(conversation) for _ in range(9)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, StoreBusy) for result in told] == [False] * 5 + [True] * 4
    assert await storage.log.read(conversation) == []


async def test_connections_are_bounded(storage: Storage, place: PostgresPlace):
    await asyncio.gather(
        *(storage.log.read(uuid4()) for _ in range(50)),
        *(storage.log.append([draft(uuid4())]) for _ in range(50)),
    )
    async with connected(place) as connection:
        held = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = $1 AND pid <> pg_backend_pid() AND application_name = 'tradewind'",
            place.database,
        )
    assert 2 <= held <= pool.SIZE + 1


async def test_a_commit_is_flushed_whatever_the_default(place: PostgresPlace):
    async with connected(place) as connection:
        name = f'"{place.database}"'
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with connected(place) as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    async with connected(place) as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "remote_apply"


async def test_shops_are_sorted_by_code_point(storage: Storage):
    for id in ("b", "ä", "B", "a"):
        await storage.directory.put_shop(Shop(id, id, ()))
    assert [shop.id for shop in await storage.directory.list_shops()] == ["B", "a", "b", "ä"]


def test_places_of_values_are_numbered():
    assert numbered("a = ? AND b IN (?, ?)") == "a = $1 AND b IN ($2, $3)"
    assert numbered("now()") == "now()"
