"""What kind of disk a folder is on, as the kernel names it.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from pathlib import Path

NOT_DISKS = ("tmpfs", "ramfs")


def filesystem(folder: Path) -> str:
    """The file system that holds the folder: ext4, xfs, tmpfs; "unknown" where nobody tells."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    here = folder.resolve()
    found, longest = "unknown", -1
    for _device, point, kind, *_rest in map(str.split, mounts):
        if here.is_relative_to(point) and len(point) >= longest:
            found, longest = kind, len(point)
    return found
