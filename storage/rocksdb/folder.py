"""The folder of a database, before RocksDB is asked to open it.

May import: base.
"""

from __future__ import annotations

from pathlib import Path

from storage.base import StoreUnavailable

OURS = frozenset({"CURRENT", "LOCK", "rocksdict-config.json", "directory.db"})
"""One of these is in a folder that was a store before, even if it was only begun."""


def prepare(folder: Path) -> None:
    """Make it, readable by its owner only, unless it is there. Raises StoreUnavailable."""
    if not folder.parent.is_dir():
        raise StoreUnavailable(f"there is no directory {folder.parent}; create it")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        names = {file.name for file in folder.iterdir()}
    except OSError as error:
        raise StoreUnavailable(f"cannot create {folder}: {error.strerror}") from error
    if names and not names & OURS:
        raise StoreUnavailable(f"{folder} holds something else; choose an empty or a new folder")
