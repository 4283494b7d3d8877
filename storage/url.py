"""What a storage URL names.

    sqlite:///shop.db                             a file, relative to the working directory
    sqlite:////var/lib/x.db                       a file, absolute
    postgresql://user:password@host:5432/shop     a database; several hosts with commas between
    rocksdb:///folder, rocksdb:////var/lib/folder a folder: the log on RocksDB, the rest on SQLite
    memory:                                       nothing kept; for tests and trying out

May import: base.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from storage.base import StorageError

SUPPORTED = (
    "`sqlite:///relative.db`, `sqlite:////absolute.db`, "
    "`rocksdb:///relative-folder`, `postgresql://user:password@host/database` or `memory:`"
)


class BadURL(StorageError):
    """No store can be reached under this URL."""


class SQLitePlace(Struct, frozen=True):
    """A SQLite file."""

    path: Path


class RocksDBPlace(Struct, frozen=True):
    """A folder with a RocksDB log, and beside it a SQLite file for all but the log."""

    folder: Path

    @property
    def directory(self) -> Path:
        """The SQLite file."""
        return self.folder / "directory.db"


class PostgresPlace(Struct, frozen=True):
    """A PostgreSQL database. `url` may hold a password: show `shown`."""

    url: str
    shown: str
    database: str


class MemoryPlace(Struct, frozen=True):
    """A store in memory."""


Place = SQLitePlace | RocksDBPlace | PostgresPlace | MemoryPlace


def parse(url: str) -> Place:
    """What `url` names. Raises BadURL, which says what would do."""
    if url == "memory:":
        return MemoryPlace()
    if url.startswith("postgresql://"):
        return _postgres(url)
    scheme, _, path = url.partition(":///")
    if scheme == "rocksdb":
        return RocksDBPlace(_path(url, path.rstrip("/")))
    if scheme == "sqlite":
        return SQLitePlace(_path(url, path))
    raise BadURL(f"cannot store under {shown(url)!r}: use {SUPPORTED}")


def shown(url: str) -> str:
    """The URL without its password, for people and logs."""
    url = re.sub(r"(?<=://)([^/?#@:]*):[^/?#]*@", r"\1@", url)
    return re.sub(r"([?&])password=[^&]*&?", r"\1", url).rstrip("?&")


def _path(url: str, path: str) -> Path:
    if not path or path.endswith("/"):
        raise BadURL(f"cannot store under {url!r}: use {SUPPORTED}")
    if "?" in path or "#" in path or "\0" in path:
        raise BadURL(f"{url!r} has more than a path after its scheme; options are not supported")
    if path == ":memory:":
        raise BadURL("SQLite in memory is not supported: use `memory:`")
    return Path(path)


def _postgres(url: str) -> PostgresPlace:
    """The rest of the URL (TLS, several hosts, a socket's folder) is for the driver to read."""
    try:
        database = unquote(urlsplit(url).path.removeprefix("/"))
    except ValueError as error:
        raise BadURL(f"{shown(url)!r} cannot be read ({error}): use {SUPPORTED}") from None
    if not database or "/" in database:
        raise BadURL(f"{shown(url)!r} names no database: use {SUPPORTED}")
    return PostgresPlace(url, shown(url), database)
