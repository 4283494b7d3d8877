"""What a process and its children take: memory, CPU time, open files, from /proc.

What holds always: a process that ends while it is looked at counts as nothing.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from msgspec import Struct

_TICK = os.sysconf("SC_CLK_TCK")


class Usage(Struct, frozen=True):
    """Bytes and seconds. PSS divides what processes share among them, so sums of it are true."""

    rss: int = 0
    pss: int = 0
    cpu: float = 0.0
    files: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.rss + other.rss,
            self.pss + other.pss,
            self.cpu + other.cpu,
            self.files + other.files,
        )


def usage(pid: int) -> Usage:
    """Of the process and all its descendants."""
    total = Usage()
    for one in family(pid):
        try:
            total += _usage_of(one)
        except (OSError, ValueError, IndexError):
            continue
    return total


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for one in found:
        found += children(one)
    return found


def children(pid: int) -> list[int]:
    """The processes that it started and that have not ended."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


def lift_files() -> int:
    """Let this process and those it starts open as many files as the kernel allows us to."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    kernel = int(Path("/proc/sys/fs/nr_open").read_text())
    for hard in (kernel, most):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_memory() -> int:
    """Bytes that the machine can still give."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _usage_of(pid: int) -> Usage:
    root = Path(f"/proc/{pid}")
    memory = _sizes((root / "smaps_rollup").read_text())
    fields = (root / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICK
    return Usage(memory["Rss"], memory["Pss"], cpu, len(os.listdir(root / "fd")))


def _sizes(text: str) -> dict[str, int]:
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if row[-1] == "kB"}
