"""Several processes write to the same conversations in one PostgreSQL, while they and the server
are killed at random moments: no accepted entry is lost, doubled or moved."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.peers.postgres import Cluster
from storage.open import migrate
from tests.crash.test_storage_crash import Accepted, check_all_there, note

WRITERS = 3
ROUNDS = 3


class Writer:
    """A process that appends as fast as it can, and what it said was accepted."""

    def __init__(self, url: str, seed: int) -> None:
        command = [sys.executable, "-m", "tests.crash.storage_writer", url, str(seed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def told(self) -> list[str]:
        """Whole lines: half a line may be the last thing that it said."""
        return [line for line in self.lines if line.endswith("\n")]

    def _read(self) -> None:
        for line in self._process.stdout:
            self.lines.append(line)
        self._process.stdout.close()


@contextmanager
def writing(url: str, seed: int) -> Iterator[list[Writer]]:
    writers = [Writer(url, seed + n) for n in range(WRITERS)]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.kill()


async def until_more(writers: list[Writer], lines: int) -> None:
    """Each has had that many more entries accepted."""
    wanted = [len(writer.lines) + lines for writer in writers]
    while any(len(w.lines) < n for w, n in zip(writers, wanted, strict=True)):
        assert all(writer.alive() for writer in writers), "a writer gave up"
        await asyncio.sleep(0.02)


def gather(accepted: Accepted, writers: list[Writer]) -> None:
    for writer in writers:
        for line in writer.told():
            note(accepted, line)


@pytest.mark.crash
async def test_the_server_is_killed_under_load(own_postgres: Cluster):
    url = await asyncio.to_thread(own_postgres.create, "shop")
    migrate(url)
    chance = random.Random(20_261_124)
    accepted: Accepted = {}
    with writing(url, seed=1) as writers:
        await until_more(writers, 20)
        for _ in range(ROUNDS):
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await asyncio.to_thread(own_postgres.start)
            # The same processes go on by themselves; nobody was told of any trouble.
            await until_more(writers, 20)
    gather(accepted, writers)
    await check_all_there(url, accepted)
    assert len(accepted) > 60 * WRITERS * ROUNDS, "too little was written to prove anything"


@pytest.mark.crash
async def test_writers_are_killed_among_writers(own_postgres: Cluster):
    url = await asyncio.to_thread(own_postgres.create, "shop")
    migrate(url)
    chance = random.Random(20_261_125)
    accepted: Accepted = {}
    with writing(url, seed=100) as writers:
        for n in range(2 * ROUNDS):
            await until_more(writers, 20)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            killed = writers.pop(0)
            await asyncio.to_thread(killed.kill)
            gather(accepted, [killed])
            writers.append(Writer(url, seed=200 + n))
        await until_more(writers, 20)
    gather(accepted, writers)
    await check_all_there(url, accepted)
    assert len(accepted) > 60 * WRITERS * ROUNDS, "too little was written to prove anything"
