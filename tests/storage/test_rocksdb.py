"""The log on RocksDB keeps the promises of the seam, and those of its own folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rocksdict import Options, Rdict

from storage import readers
from storage.base import Appended, Conflict, StoreBusy, StoreUnavailable
from storage.doctor import Level, check
from storage.open import Storage, migrate, open_storage
from storage.rocksdb import database, writer
from storage.rocksdb.layout import FORMAT, entry_key
from storage.schema import WrongSchema
from storage.url import BadURL, RocksDBPlace, parse
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import draft, fresh
from tests.storage.opened import LogByURL, is_there_after_reopening, serves_one_process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop 100%"


@pytest.fixture
def url(folder: Path) -> str:
    return f"rocksdb:///{folder}"


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    storage = open_storage(url)
    yield storage
    await storage.close()


class TestRocksDBLog(LogByURL):
    pattern = "rocksdb:///{}/{}"


class TestDirectoryBesideRocksDB(DirectorySuite):
    @pytest.fixture
    def directory(self, storage: Storage) -> object:
        return storage.directory


async def test_what_was_stored_is_there_after_reopening(url: str):
    await is_there_after_reopening(url)


async def test_bad_work_fails_alone(storage: Storage):
    conversation = uuid4()
    bad = draft(conversation, author="\ud800")  # no UTF-8 for it
    calls = [storage.log.append([draft(conversation)]) for _ in range(3)]
    calls.insert(1, storage.log.append([draft(conversation), bad]))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told.pop(1), UnicodeEncodeError)
    assert [fresh(result).seq for [result] in told] == [1, 2, 3]
    assert len(await storage.log.read(conversation)) == 3


async def test_heads_beyond_the_cache_are_found_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "HEADS_CACHED", 3)
    conversations = [uuid4() for _ in range(10)]
    for round_ in range(1, 4):
        told = await storage.log.append([draft(id) for id in conversations * 2])
        assert [fresh(result).seq for result in told] == [round_ * 2 - 1] * 10 + [round_ * 2] * 10


async def test_waiting_reads_are_bounded(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readers, "READS_WAITING", 5)
    conversation = uuid4()
    calls = [storage.log.read(conversation) for _ in range(9)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, StoreBusy) for result in told] == [False] * 5 + [True] * 4
    assert await storage.log.read(conversation) == []


async def test_entries_in_files_are_read_like_those_in_memory(storage: Storage):
    """Filters, blocks and the scan's end behave alike, and neighbours stay apart."""
    conversations = sorted(uuid4() for _ in range(3))
    for _ in range(3):
        await storage.log.append([draft(id, os.urandom(900)) for id in conversations * 20])
        to_files(storage)
    for id in conversations:
        assert [e.seq for e in await storage.log.read(id)] == list(range(1, 61))
        assert [e.seq for e in await storage.log.read_before(id, before=5)] == [1, 2, 3, 4]
    assert await storage.log.read(uuid4()) == []
    assert len(await storage.log.heads(conversations)) == 3


def to_files(storage: Storage) -> None:
    rocks(storage).flush(True)


def rocks(storage: Storage) -> Any:
    """RocksDB itself."""
    return storage.log._writer._database._rocks


# who may open the folder


def test_urls(tmp_path: Path):
    assert parse("rocksdb:///folder") == RocksDBPlace(Path("folder"))
    assert parse("rocksdb:////var/lib/x") == RocksDBPlace(Path("/var/lib/x"))
    assert parse("rocksdb:////x").directory == Path("/x/directory.db")
    for url in ("rocksdb:///", "rocksdb://folder", "rocksdb:///x?sync=off"):
        with pytest.raises(BadURL):
            parse(url)


def test_a_folder_serves_one_process(url: str):
    serves_one_process(url)


async def test_the_same_process_opens_a_folder_once(storage: Storage, url: str):
    with pytest.raises(StoreUnavailable, match="open in another process"):
        open_storage(url)
    assert await storage.log.heads([uuid4()]) == {}


def test_a_directory_that_is_in_use_leaves_the_log_closed(url: str, folder: Path):
    folder.mkdir()
    beside = open_storage(f"sqlite:///{folder}/directory.db")
    with pytest.raises(StoreUnavailable, match="open in another process"):
        open_storage(url)
    asyncio.run(beside.close())
    asyncio.run(open_storage(url).close())


def test_only_the_owner_reads_the_folder(url: str, folder: Path):
    asyncio.run(open_storage(url).close())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_holds_something_else(folder: Path, url: str):
    folder.mkdir()
    (folder / "diary.txt").write_text("Dear diary")
    with pytest.raises(StoreUnavailable, match="choose an empty"):
        open_storage(url)
    assert [file.name for file in folder.iterdir()] == ["diary.txt"]


def test_a_parent_that_is_missing(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="create it"):
        open_storage(f"rocksdb:///{tmp_path}/nowhere/shop")


def test_a_file_in_its_place(folder: Path, url: str):
    folder.touch()
    with pytest.raises(StoreUnavailable, match="cannot create"):
        open_storage(url)


# versions


def put(folder: Path, key: bytes, value: bytes) -> None:
    rocks = Rdict(str(folder), Options(raw_mode=True))
    rocks[key] = value
    rocks.close()


def test_a_newer_format_is_refused(folder: Path, url: str):
    asyncio.run(open_storage(url).close())
    put(folder, FORMAT, b"2")
    with pytest.raises(WrongSchema, match="newer Tradewind"):
        open_storage(url)


def test_a_database_of_another_program_is_left_alone(folder: Path, url: str):
    put(folder, b"song", b"la la la")
    with pytest.raises(WrongSchema, match="another program"):
        open_storage(url)
    rocks = Rdict(str(folder), Options(raw_mode=True))
    assert rocks.get(FORMAT) is None
    rocks.close()


def test_migrate_cares_for_the_directory(url: str, folder: Path):
    assert migrate(url) is None
    version = migrate(url)
    assert version is not None
    assert (folder / "directory.db").exists()
    asyncio.run(open_storage(url).close())
    assert migrate(url) == version


# damage


async def filled(url: str, entries: int = 50) -> list[Appended | Conflict]:
    storage, conversation = open_storage(url), uuid4()
    told = await storage.log.append([draft(conversation, os.urandom(500)) for _ in range(entries)])
    await storage.close()
    return told


def spoil(file: Path, share: float = 0.5) -> None:
    """Turn over some bytes in the middle."""
    data = bytearray(file.read_bytes())
    at = int(len(data) * share)
    data[at : at + 64] = bytes(byte ^ 0xFF for byte in data[at : at + 64])
    file.write_bytes(data)


async def test_a_damaged_file_is_told_and_never_left_out(url: str, folder: Path):
    [first, *_] = await filled(url)
    [table] = await asyncio.to_thread(lambda: list(folder.glob("*.sst")))
    await asyncio.to_thread(spoil, table, 0.3)
    storage = open_storage(url)
    with pytest.raises(StoreUnavailable, match="damaged; restore it from a backup"):
        await storage.log.read(first.entry.conversation)
    await storage.close()


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: [file.unlink() for file in folder.glob("*.sst")],
        lambda folder: spoil(next(folder.glob("MANIFEST-*"))),
        lambda folder: (folder / "CURRENT").write_text("nonsense"),
    ],
    ids=["a file is missing", "manifest", "current"],
)
async def test_a_damaged_database_does_not_open(
    url: str, folder: Path, harm: Callable[[Path], object]
):
    await filled(url)
    await asyncio.to_thread(harm, folder)
    with pytest.raises(StoreUnavailable, match="damaged; restore it from a backup"):
        open_storage(url)


# writes that fail


class Unsynced:
    """RocksDB, but that it cannot sync."""

    def __init__(self, real: Any, says: str) -> None:
        self._real = real
        self._says = says

    def __getattr__(self, name: str) -> Any:
        return partial(fail, self._says) if name == "flush_wal" else getattr(self._real, name)


def fail(says: str, _sync: bool) -> None:
    raise Exception(says)


def cannot_sync(storage: Storage, says: str) -> None:
    opened = storage.log._writer._database
    opened._rocks = Unsynced(opened._rocks, says)


async def test_what_could_not_be_synced_is_not_there(storage: Storage, url: str):
    """The rows are in the database by then: nobody may see them, now or after a restart."""
    conversation, lost = uuid4(), draft(uuid4(), b"lost")
    [first] = await storage.log.append([draft(conversation)])
    cannot_sync(storage, "IO error: While fdatasync: Input/output error")
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        await storage.log.append([draft(conversation, b"second"), lost])
    assert await storage.log.read(conversation) == [fresh(first)]
    assert await storage.log.read_before(conversation) == [fresh(first)]
    assert await storage.log.read(lost.conversation) == []
    assert (await storage.log.heads([conversation]))[conversation].seq == 1
    # The next commit opens the database anew, without them.
    [again, other] = await storage.log.append([lost, draft(conversation, b"other")])
    assert (fresh(again).seq, fresh(other).seq) == (1, 2)
    await storage.close()
    storage = open_storage(url)
    assert [e.body for e in await storage.log.read(conversation)] == [b"hello", b"other"]
    assert [e.body for e in await storage.log.read(lost.conversation)] == [b"lost"]
    await storage.close()


async def test_a_resend_is_answered_while_nothing_can_be_written(storage: Storage):
    sent, lost = draft(uuid4()), draft(uuid4())
    [first] = await storage.log.append([sent])
    cannot_sync(storage, "IO error: No space left on device")
    with pytest.raises(Exception, match="make room"):
        await storage.log.append([lost])
    assert await storage.log.append([sent]) == [Appended(fresh(first), fresh=False)]


async def test_a_database_that_cannot_be_opened_anew_is_unavailable_until_it_can(
    storage: Storage, folder: Path, tmp_path: Path
):
    conversation = uuid4()
    await storage.log.append([draft(conversation)])
    cannot_sync(storage, "IO error: the disk went away")
    with pytest.raises(StoreUnavailable):
        await storage.log.append([draft(conversation)])
    current = folder / "CURRENT"
    await asyncio.to_thread(shutil.move, current, tmp_path / "CURRENT")
    await asyncio.to_thread(current.write_text, "nonsense")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="damaged"):
            await storage.log.append([draft(conversation)])
    with pytest.raises(StoreUnavailable, match="could not be opened anew"):
        await storage.log.read(conversation)
    await asyncio.to_thread(shutil.move, tmp_path / "CURRENT", current)
    [result] = await storage.log.append([draft(conversation)])
    assert fresh(result).seq == 2


async def test_writes_that_rocksdb_holds_back_wait_and_are_refused_in_the_end(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    """A real stall: more files on the first level than RocksDB is told to bear."""
    conversation = uuid4()
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    for _ in range(2):
        await storage.log.append([draft(conversation)])
        to_files(storage)
    rocks(storage).set_options(
        {
            "level0_file_num_compaction_trigger": "100",
            "level0_slowdown_writes_trigger": "1",
            "level0_stop_writes_trigger": "1",
        }
    )
    refused = draft(conversation, b"refused")
    with pytest.raises(StoreBusy):
        await storage.log.append([refused])
    assert [entry.seq for entry in await storage.log.read(conversation)] == [1, 2]
    waiting = asyncio.create_task(storage.log.append([refused]))
    monkeypatch.setattr(database, "PATIENCE", 10.0)
    rocks(storage).set_options({"level0_stop_writes_trigger": "36"})
    [told] = await waiting
    assert fresh(told).seq == 3


# doctor


def findings(url: str) -> dict[str, Level]:
    return {finding.check: finding.level for finding in check(url) if finding.check != "disk space"}


def test_doctor_on_a_sound_store(url: str):
    asyncio.run(open_storage(url).close())
    told = findings(url)
    assert set(told) >= {"log", "storage", "schema", "journal", "sync"}
    assert set(told.values()) == {Level.OK}


def test_doctor_makes_nothing(url: str, tmp_path: Path):
    assert findings(url) == {"storage": Level.OK}
    assert list(tmp_path.iterdir()) == []


def test_doctor_beside_a_running_store(url: str):
    storage = open_storage(url)
    assert set(findings(url).values()) == {Level.OK}
    asyncio.run(storage.close())


def test_keys_sort_as_their_positions_do(tmp_path: Path):
    conversation = uuid4().bytes
    keys = [entry_key(conversation, seq) for seq in (0, 1, 255, 256, 2**32, 2**63)]
    assert keys == sorted(keys)
