"""The write-ahead log is emptied beside the commits, and stays small however long they go on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from storage.open import open_storage
from storage.sqlite import checkpoint
from tests.conformance.log_suite import draft

BODY = os.urandom(2_000)


async def write_on(path: Path, calls: int) -> int:
    """Make `calls` appends of 10 entries each; the largest the log beside `path` has been."""
    storage, conversation, largest = open_storage(f"sqlite:///{path}"), uuid4(), 0
    for _ in range(calls):
        await storage.log.append([draft(conversation, BODY) for _ in range(10)])
        largest = max(largest, os.stat(f"{path}-wal").st_size)
    stored = await storage.log.heads([conversation])
    assert stored[conversation].seq == calls * 10
    await storage.close()
    return largest


async def test_the_log_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "shop.db"
    monkeypatch.setattr(checkpoint, "ROWS", 100)
    largest = await write_on(path, calls=400)
    size = await asyncio.to_thread(_size_when_sound, path)
    assert size > 400 * 10 * len(BODY)
    assert largest < size / 2

    # And it is the checkpoints that keep it so.
    monkeypatch.setattr(checkpoint, "ROWS", 10**9)
    other = tmp_path / "other.db"
    assert await write_on(other, calls=400) > size


def _size_when_sound(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return path.stat().st_size


async def test_a_checkpoint_that_fails_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(checkpoint, "ROWS", 20)
    monkeypatch.setattr(checkpoint, "connect", broken)
    await write_on(tmp_path / "shop.db", calls=20)
    assert await asyncio.to_thread(_size_when_sound, tmp_path / "shop.db") > 200 * len(BODY)
