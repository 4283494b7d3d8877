"""Kill the process that writes, at random moments, again and again: no accepted entry is lost,
doubled or moved."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from storage.base import Entry, MessageLog
from storage.open import open_storage
from tests.crash.storage_writer import CONVERSATIONS

ROUNDS = 6

Accepted = dict[tuple[UUID, UUID], tuple[int, bytes]]
"""(conversation, client_id) to (seq, body)."""


@pytest.mark.crash
async def test_killed_at_any_moment(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/shop.db"
    chance = random.Random(20_261_123)
    accepted: Accepted = {}
    for round_ in range(ROUNDS):
        told = write_and_kill(url, round_, wait=chance.uniform(0.02, 0.7))
        for line in told:
            note(accepted, line)
        # Our own store is the first to meet what the crash left behind.
        await check_all_there(url, accepted)
        check_integrity(tmp_path / "shop.db")
    assert len(accepted) > 100 * ROUNDS, "too little was written to prove anything"


def write_and_kill(
    url: str, seed: int, wait: float, writer: str = "tests.crash.storage_writer"
) -> list[str]:
    """Have a process write for `wait` seconds after its first entry, then kill it."""
    command = [sys.executable, "-m", writer, url, str(seed)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        # Killed from a timer, while its lines are read: a full pipe would hold the writer back.
        killer = threading.Timer(wait, writer.kill)
        for line in writer.stdout:
            if not lines:
                killer.start()
            lines.append(line)
        killer.cancel()
    assert writer.returncode == -signal.SIGKILL, "the writer ended by itself"
    # Half a line may be the last thing that it said.
    return [line for line in lines if line.endswith("\n")]


def note(accepted: Accepted, line: str) -> None:
    conversation, client_id, seq, body = line.rstrip("\n").split(" ")
    key = UUID(conversation), UUID(client_id)
    place = int(seq), bytes.fromhex(body)
    assert accepted.setdefault(key, place) == place, "a resend was told another place"


async def check_all_there(url: str, accepted: Accepted) -> None:
    storage = open_storage(url)
    try:
        stored = {id: await everything(storage.log, id) for id in CONVERSATIONS}
    finally:
        await storage.close()
    for entries in stored.values():
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len({entry.client_id for entry in entries}) == len(entries)
    for (conversation, client_id), (seq, body) in accepted.items():
        entry = stored[conversation][seq - 1]
        assert (entry.client_id, entry.body) == (client_id, body)


async def everything(log: MessageLog, conversation: UUID) -> list[Entry]:
    found: list[Entry] = []
    while page := await log.read(conversation, after=len(found), limit=1_000):
        found += page
    return found


def check_integrity(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
