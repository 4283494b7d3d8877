"""The journal, in memory, in a file, and in the file of another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.base import Journal
from storage.memory_journal import MemoryJournal
from storage.open import open_storage
from storage.remote import Link, RemoteJournal, serving
from tests.conformance.journal_suite import JournalSuite, record


class TestMemoryJournal(JournalSuite):
    @pytest.fixture
    async def journal(self) -> Journal:
        return MemoryJournal()


class TestSQLiteJournal(JournalSuite):
    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        storage = open_storage(f"sqlite:///{tmp_path / 'store.db'}")
        yield storage.journal
        await storage.close()


class TestRemoteJournal(JournalSuite):
    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        storage = open_storage(f"sqlite:///{tmp_path / 'store.db'}")
        place = tmp_path / "store.sock"
        async with serving(place, storage.log, storage.directory, journal=storage.journal):
            remote = RemoteJournal(Link(place))
            yield remote
            await remote.close()
        await storage.close()


class TestPostgresJournal(JournalSuite):
    @pytest.fixture
    async def journal(self, postgres_url: str) -> AsyncIterator[Journal]:
        storage = await asyncio.to_thread(open_storage, postgres_url)
        assert storage.journal is not None
        yield storage.journal
        await storage.close()


async def test_it_is_there_after_the_file_was_closed(tmp_path: Path):
    first, url = record(), f"sqlite:///{tmp_path / 'store.db'}"
    storage = open_storage(url)
    await storage.journal.put(first, expected=None)
    epoch = await storage.journal.next_epoch("locks")
    await storage.close()
    storage = open_storage(url)
    assert await storage.journal.find_record(first.id) == first
    assert await storage.journal.next_epoch("locks") > epoch
    await storage.close()
