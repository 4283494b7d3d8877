"""What a storage URL names.

    sqlite:///shop.db          a file, relative to the working directory
    sqlite:////var/lib/x.db    a file, absolute
    memory:                    nothing kept; for tests and trying out

May import: base.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from storage.base import StorageError

SUPPORTED = "`sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`"


class BadURL(StorageError):
    """No store can be reached under this URL."""


class SQLitePlace(Struct, frozen=True):
    """A SQLite file."""

    path: Path


class MemoryPlace(Struct, frozen=True):
    """A store in memory."""


def parse(url: str) -> SQLitePlace | MemoryPlace:
    """What `url` names. Raises BadURL, which says what would do."""
    if url == "memory:":
        return MemoryPlace()
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path.endswith("/"):
        raise BadURL(f"cannot store under {url!r}: use {SUPPORTED}")
    if "?" in path or "#" in path or "\0" in path:
        raise BadURL(f"{url!r} has more than a path after sqlite:///; options are not supported")
    if path == ":memory:":
        raise BadURL("SQLite in memory is not supported: use `memory:`")
    return SQLitePlace(Path(path))
