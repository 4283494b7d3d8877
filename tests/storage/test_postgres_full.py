"""A full disk under PostgreSQL: a clear refusal, nothing accepted is lost, and it heals."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench.peers.postgres import Cluster, cluster
from storage.open import open_storage
from tests.storage.test_full_disk import check_full, check_healed, fill, take


@pytest.fixture
def crammed() -> Iterator[Cluster]:
    """A server on a disk of 160 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount = Path(f"/tmp/tw-full-{uuid4().hex[:8]}")
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", str(mount)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        mount.rmdir()
        pytest.skip(f"this machine does not let us mount a small disk: {done.stderr.strip()}")
    try:
        with cluster(mount, max_wal_size="32MB", min_wal_size="32MB") as server:
            yield server
    finally:
        subprocess.run(["umount", str(mount)], check=True)
        mount.rmdir()


async def test_a_full_disk(crammed: Cluster):
    storage = open_storage(await asyncio.to_thread(crammed.create, "shop"))
    conversation, ballast = uuid4(), crammed.folder.parent / "ballast"
    try:
        take(ballast, leave=1_500_000)
        accepted = await fill(storage.log, conversation)
        await check_full(storage.log, conversation, accepted)
        ballast.unlink()
        await check_healed(storage.log, conversation, accepted)
    finally:
        await storage.close()
