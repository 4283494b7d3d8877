"""RocksDB's errors in our terms. rocksdict raises plain exceptions that carry RocksDB's words.

May import: base.
"""

from __future__ import annotations

from pathlib import Path

from storage.base import StorageError, StoreFull, StoreUnavailable

HELD_BACK = "Result incomplete"
"""How RocksDB begins to refuse a write that it would rather hold back."""


def translate(error: Exception, folder: Path) -> StorageError:
    """What RocksDB raised, as the seam says it."""
    says = str(error)
    if "No space left" in says or "Disk quota exceeded" in says:
        return full(folder)
    if "lock" in says.lower() and "LOCK" in says:
        return StoreUnavailable(
            f"{folder} is open in another process or store; a RocksDB folder serves one at a "
            "time: stop the other one, or use another folder"
        )
    if says.startswith("Corruption") or "No such file" in says:
        return damaged(folder, says)
    return StoreUnavailable(f"{folder}: {says}")


def full(folder: Path) -> StoreFull:
    """There is no room."""
    return StoreFull(f"no room left on the disk of {folder}; make room, then it works again")


def damaged(folder: Path, says: str) -> StoreUnavailable:
    """What is in the folder is not what was written."""
    return StoreUnavailable(f"{folder} is damaged; restore it from a backup ({says})")
