"""Every store that has an index keeps the promises of the seam."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from bench.peers.postgres import Cluster
from storage.base import StoreUnavailable
from storage.memory import MemoryDirectory, MemoryLog
from storage.open import open_remote, open_storage
from storage.remote import serving
from tests.conformance.search_suite import PARCEL, SearchSuite, Stores, changes, says
from tests.support.postgres import TEMPLATE

TABLES = (
    *("found", "visitor_words", "unindexed", "entries", "heads", "outbox"),
    *("conversations", "visitors", "agents", "shops"),
)


async def opened(url: str) -> AsyncIterator[Stores]:
    storage = open_storage(url)
    assert storage.search is not None
    yield Stores(storage.log, storage.directory, storage.search)
    await storage.close()


class TestMemorySearch(SearchSuite):
    @pytest.fixture
    async def stores(self) -> AsyncIterator[Stores]:
        async for stores in opened("memory:"):
            yield stores


class TestSQLiteSearch(SearchSuite):
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> AsyncIterator[Stores]:
        async for stores in opened(f"sqlite:///{tmp_path}/shop.db"):
            yield stores


class TestRemoteSearch(SearchSuite):
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> AsyncIterator[Stores]:
        async for stores in opened(f"sqlite:///{tmp_path}/shop.db"):
            async with serving(tmp_path / "store.sock", *stores):
                remote = open_remote(tmp_path / "store.sock")
                assert remote.search is not None
                yield Stores(remote.log, remote.directory, remote.search)
                await remote.close()


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[str]:
    """One for all: to make one takes longer than most tests."""
    postgres.create("search", TEMPLATE)
    yield "search"
    postgres.drop("search")


class TestPostgresSearch(SearchSuite):
    @pytest.fixture
    async def stores(self, postgres: Cluster, database: str) -> AsyncIterator[Stores]:
        async for stores in opened(postgres.url(database)):
            yield stores
        await asyncio.to_thread(postgres.sql, database, f"TRUNCATE {', '.join(TABLES)}")


async def test_what_was_found_is_found_after_a_restart(tmp_path: Path):
    url, chat = f"sqlite:///{tmp_path}/shop.db", uuid4()
    message = says(chat, PARCEL)
    async for stores in opened(url):
        await stores.log.append([message])
        [before] = await stores.search.messages("mill", "parcel")
    async for stores in opened(url):
        assert await stores.search.messages("mill", "parcel") == [before]
        await stores.log.append([says(chat, "of the same millisecond, a parcel")])
        await stores.log.append([changes(message, 1, "")])
        [hit] = await stores.search.messages("mill", "parcel")
        assert (hit.seq, hit.place) == (2, before.place + 1)
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            connection.execute("INSERT INTO found_terms (found_terms) VALUES ('integrity-check')")


async def test_an_index_that_fails_takes_its_message_with_it(tmp_path: Path):
    async for stores in opened(f"sqlite:///{tmp_path}/shop.db"):
        chat = uuid4()
        with pytest.raises(UnicodeEncodeError):
            await stores.log.append([says(chat, "first parcel"), says(chat, "lone \ud800 parcel")])
        assert await stores.log.read(chat) == []
        assert await stores.search.messages("mill", "parcel") == []
        await stores.log.append([says(chat, PARCEL)])
        assert len(await stores.search.messages("mill", "parcel")) == 1


async def test_a_store_without_an_index_says_so(tmp_path: Path):
    path = tmp_path / "store.sock"
    async with serving(path, log := MemoryLog(), MemoryDirectory()):
        remote = open_remote(path)
        assert remote.search is not None
        with pytest.raises(StoreUnavailable, match="messages"):
            await remote.search.messages("mill", "parcel")
        await remote.close()
    await log.close()
