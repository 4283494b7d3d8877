"""A full disk under RocksDB: a clear refusal, nothing accepted is lost, and it heals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.base import StoreFull
from storage.open import open_storage
from tests.conformance.log_suite import draft, fresh
from tests.storage.test_full_disk import BODY, check_full, check_healed, everything, fill
from tests.support.disk import MEBIBYTE, mounted, take


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of a size that one write-ahead log, as RocksDB reserves room for it, does not fill."""
    with mounted(tmp_path / "disk", 48 * MEBIBYTE) as disk:
        yield disk


@pytest.mark.parametrize("leave", [2_000_000, 100_000])
async def test_a_full_disk(small_disk: Path, leave: int):
    url, conversation = f"rocksdb:///{small_disk}/shop", uuid4()
    ballast, rest = small_disk / "ballast", small_disk / "rest"
    storage = open_storage(url)
    try:
        await storage.log.append([draft(conversation, BODY)])
        take(ballast, leave)
        accepted = [
            *await storage.log.read(conversation),
            *await fill(storage.log, conversation),
        ]
        take(rest, 0)
        await check_full(storage.log, conversation, accepted)
        ballast.unlink()
        rest.unlink()
        await check_healed(storage.log, conversation, accepted)
    finally:
        await storage.close()
    storage = open_storage(url)
    assert len(await everything(storage.log, conversation)) == len(accepted) + 1
    await storage.close()


async def test_closing_on_a_full_disk_keeps_what_was_accepted(small_disk: Path):
    """What is in memory cannot be sorted into files then, but the write-ahead log has it."""
    url, conversation = f"rocksdb:///{small_disk}/shop", uuid4()
    storage = open_storage(url)
    told = await storage.log.append([draft(conversation, BODY) for _ in range(100)])
    take(small_disk / "ballast", 0)
    await storage.close()
    with pytest.raises(StoreFull, match="make room"):
        open_storage(url)
    (small_disk / "ballast").unlink()
    storage = open_storage(url)
    assert await storage.log.read(conversation) == [fresh(result) for result in told]
    await storage.close()


def test_making_a_store_on_a_full_disk(small_disk: Path):
    """The next start makes it."""
    url = f"rocksdb:///{small_disk}/shop"
    take(small_disk / "ballast", 0)
    with pytest.raises(StoreFull, match="make room"):
        open_storage(url)
    (small_disk / "ballast").unlink()
    asyncio.run(open_storage(url).close())
