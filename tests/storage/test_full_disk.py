"""A full disk under SQLite: a clear refusal, nothing accepted is lost, and it heals."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from storage.base import Appended, Entry, MessageLog, StoreFull
from storage.open import Storage, open_storage
from storage.sqlite import SQLiteFile, SQLiteLog
from tests.conformance.log_suite import draft, fresh
from tests.support.disk import MEBIBYTE, mounted, take

BODY = os.urandom(4_000)


async def fill(log: MessageLog, conversation: UUID) -> list[Entry]:
    """Append until the disk is full; what was accepted."""
    accepted: list[Entry] = []
    for _ in range(5_000):
        try:
            [result] = await log.append([draft(conversation, BODY)])
        except StoreFull:
            return accepted
        accepted.append(fresh(result))
    raise AssertionError("the disk did not become full")


async def everything(log: MessageLog, conversation: UUID) -> list[Entry]:
    found: list[Entry] = []
    while page := await log.read(conversation, after=len(found), limit=1_000):
        found += page
    return found


async def check_full(log: MessageLog, conversation: UUID, accepted: list[Entry]) -> None:
    """The disk is full: a clear refusal, and everything else goes on."""
    assert [entry.seq for entry in accepted] == list(range(1, len(accepted) + 1))
    for _ in range(3):
        with pytest.raises(StoreFull, match="make room"):
            await log.append([draft(conversation, BODY)])
    assert await everything(log, conversation) == accepted
    first = accepted[0]
    [told] = await log.append([draft(conversation, BODY, client_id=first.client_id)])
    assert told == Appended(first, fresh=False)  # a resend needs no room


async def check_healed(log: MessageLog, conversation: UUID, accepted: list[Entry]) -> None:
    """There is room again: the next entry follows the last one that was accepted."""
    [told] = await log.append([draft(conversation, BODY)])
    assert fresh(told).seq == len(accepted) + 1
    assert await everything(log, conversation) == [*accepted, fresh(told)]


async def test_a_file_that_may_not_grow(tmp_path: Path):
    storage = open_storage(f"sqlite:///{tmp_path}/shop.db")
    await storage.close()
    file = SQLiteFile(tmp_path / "shop.db")
    log, conversation = SQLiteLog(file), uuid4()
    try:
        await file.write(lambda w: w.connection.execute("PRAGMA max_page_count=200").fetchone())
        accepted = await fill(log, conversation)
        await check_full(log, conversation, accepted)
        await file.write(lambda w: w.connection.execute("PRAGMA max_page_count=9999").fetchone())
        await check_healed(log, conversation, accepted)
    finally:
        await file.close()
    check_integrity(tmp_path / "shop.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 8 * MEBIBYTE) as disk:
        yield disk


@pytest.mark.parametrize("leave", [3_000_000, 700_000, 100_000])
async def test_a_full_disk(small_disk: Path, leave: int):
    """The write-ahead log, the database and the index between them each may be what fails."""
    storage = open_storage(f"sqlite:///{small_disk}/shop.db")
    conversation, ballast, rest = uuid4(), small_disk / "ballast", small_disk / "rest"
    try:
        await storage.log.append([draft(conversation, BODY)])
        take(ballast, leave)
        accepted = [*await storage.log.read(conversation), *await fill(storage.log, conversation)]
        take(rest, 0)
        await check_full(storage.log, conversation, accepted)
        ballast.unlink()
        rest.unlink()
        await check_healed(storage.log, conversation, accepted)
    finally:
        await storage.close()
    await check_reopened(small_disk, conversation, len(accepted) + 1)


async def check_reopened(disk: Path, conversation: UUID, entries: int) -> None:
    check_integrity(disk / "shop.db")
    storage: Storage = open_storage(f"sqlite:///{disk}/shop.db")
    try:
        assert await storage.log.heads([conversation])
        assert len(await everything(storage.log, conversation)) == entries
    finally:
        await storage.close()


def check_integrity(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


async def test_opening_on_a_full_disk(small_disk: Path):
    """There is no room for the index beside the log: SQLite calls that an I/O error."""
    url, conversation = f"sqlite:///{small_disk}/shop.db", uuid4()
    storage = open_storage(url)
    [first] = await storage.log.append([draft(conversation)])
    await storage.close()
    take(small_disk / "ballast", 0)
    with pytest.raises(StoreFull, match="make room"):
        open_storage(url)
    (small_disk / "ballast").unlink()
    storage = open_storage(url)
    assert await storage.log.read(conversation) == [fresh(first)]
    await storage.close()


async def test_making_a_store_on_a_full_disk(small_disk: Path):
    """What was begun is undone, and the next start makes the store."""
    url = f"sqlite:///{small_disk}/shop.db"
    take(small_disk / "ballast", 40_000)
    with pytest.raises(StoreFull, match="make room"):
        open_storage(url)
    (small_disk / "ballast").unlink()
    storage = open_storage(url)
    [result] = await storage.log.append([draft(uuid4())])
    assert fresh(result).seq == 1
    await storage.close()
