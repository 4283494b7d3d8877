"""A small disk of one's own, to fill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEBIBYTE = 1_048_576


@contextmanager
def mounted(mount: Path, size: int) -> Iterator[Path]:
    """A disk of `size` bytes at `mount`; skips the test where that cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"this machine does not let us mount a small disk: {done.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def take(ballast: Path, leave: int) -> None:
    """Fill the disk but for `leave` bytes."""
    ballast.write_bytes(b"")
    with suppress(OSError), ballast.open("ab", buffering=0) as out:
        while (free := shutil.disk_usage(ballast.parent).free) > leave:
            out.write(b"\0" * min(free - leave, 65_536))
