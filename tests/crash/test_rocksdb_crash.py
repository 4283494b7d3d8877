"""Kill the process that writes to RocksDB, at random moments, again and again: no accepted entry
is lost, doubled or moved."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.test_storage_crash import Accepted, check_all_there, note, write_and_kill

ROUNDS = 6


@pytest.mark.crash
@pytest.mark.parametrize("writer", ["tests.crash.storage_writer", "tests.crash.rocksdb_writer"])
async def test_killed_at_any_moment(tmp_path: Path, writer: str):
    url = f"rocksdb:///{tmp_path}/shop"
    chance = random.Random(20_261_124)
    accepted: Accepted = {}
    for round_ in range(ROUNDS):
        for line in write_and_kill(url, round_, chance.uniform(0.02, 0.7), writer):
            note(accepted, line)
        # Our own store is the first to meet what the crash left behind.
        await check_all_there(url, accepted)
    assert len(accepted) > 100 * ROUNDS, "too little was written to prove anything"
