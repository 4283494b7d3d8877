"""The stores on SQLite keep the promises of the seam, and those of their own file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage import readers
from storage.base import Agent, Directory, Shop, StoreBusy, StoreUnavailable
from storage.directory import AGENTS, SHOPS
from storage.open import Storage, open_storage
from storage.sqlite import connect, log
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import draft, fresh
from tests.storage.opened import LogByURL, is_there_after_reopening, serves_one_process


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = open_storage(f"sqlite:///{tmp_path}/shop.db")
    yield storage
    await storage.close()


class TestSQLiteLog(LogByURL):
    pattern = "sqlite:///{}/{}.db"


class TestSQLiteDirectory(DirectorySuite):
    @pytest.fixture
    def directory(self, storage: Storage) -> Directory:
        return storage.directory


async def test_what_was_stored_is_there_after_reopening(tmp_path: Path):
    await is_there_after_reopening(f"sqlite:///{tmp_path}/shop.db")


async def test_a_commit_is_synced_before_it_returns(tmp_path: Path):
    connection = await asyncio.to_thread(_settings, tmp_path)
    assert connection == ("wal", 2, 1)


def _settings(folder: Path) -> tuple[object, ...]:
    connect.create(folder / "shop.db")
    opened = connect.connect(folder / "shop.db")
    try:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(opened.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas)
    finally:
        opened.close()


async def test_bad_work_fails_alone(storage: Storage):
    conversation = uuid4()
    bad = draft(conversation, author="\ud800")  # no UTF-8 for it: SQLite's module refuses
    calls = [storage.log.append([draft(conversation)]) for _ in range(3)]
    calls.insert(1, storage.log.append([draft(conversation), bad]))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told.pop(1), UnicodeEncodeError)
    assert [fresh(result).seq for [result] in told] == [1, 2, 3]
    assert len(await storage.log.read(conversation)) == 3


async def test_heads_beyond_the_cache_are_found_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log, "HEADS_CACHED", 3)
    conversations = [uuid4() for _ in range(10)]
    for round_ in range(1, 4):
        told = await storage.log.append([draft(id) for id in conversations])
        assert [fresh(result).seq for result in told] == [round_] * 10


async def test_waiting_reads_are_bounded(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readers, "READS_WAITING", 5)
    conversation = uuid4()
    calls = [storage.log.read(conversation) for _ in range(9)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, StoreBusy) for result in told] == [False] * 5 + [True] * 4
    assert await storage.log.read(conversation) == []


async def test_a_lock_held_by_another_tool_is_busy(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tool = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    tool.execute("BEGIN IMMEDIATE")
    conversation = uuid4()
    with pytest.raises(StoreBusy):
        await storage.log.append([draft(conversation)])
    assert await storage.log.read(conversation) == []
    tool.execute("ROLLBACK")
    tool.close()
    [result] = await storage.log.append([draft(conversation)])
    assert fresh(result).seq == 1


def test_a_file_serves_one_process(tmp_path: Path):
    serves_one_process(f"sqlite:///{tmp_path}/shop.db")


async def test_the_same_process_opens_a_file_once(storage: Storage, tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="open in another process"):
        open_storage(f"sqlite:///{tmp_path}/shop.db")


async def test_only_the_owner_reads_the_file(storage: Storage, tmp_path: Path):
    await storage.log.append([draft(uuid4())])
    modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    assert set(modes) >= {"shop.db", "shop.db-wal"}
    assert set(modes.values()) == {0o600}, modes


def test_rows_and_records():
    shop = Shop("a", "A", ("https://a", "https://b"), None, "{}", 5)
    assert SHOPS.row(shop) == ("a", "A", '["https://a","https://b"]', None, "{}", 5)
    assert SHOPS.record(SHOPS.row(shop)) == shop
    agent = Agent(uuid4(), "a", "e", "n", "h", active=False)
    assert AGENTS.record(AGENTS.row(agent)) == agent
