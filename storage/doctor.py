"""Look a store over and say what is wrong and how to mend it, for `tradewind doctor`.

Reads only: it neither creates a file nor changes one, and works beside a running server.

May import: base, url, schema, sqlite.connect.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from storage.base import StorageError
from storage.diagnosis import Finding, Level, indexed
from storage.schema import check_version, read_version
from storage.sqlite.connect import connect, translate
from storage.sqlite.search import count_unindexed
from storage.url import MemoryPlace, PostgresPlace, RocksDBPlace, parse

__all__ = ["Finding", "Level", "check"]

LITTLE_ROOM = 1_073_741_824
"""Free bytes under which the doctor warns."""
HARDLY_ROOM = 67_108_864
"""Free bytes under which the store is about to refuse."""

FULL = 2
"""SQLite's number for synchronous=FULL."""


def check(url: str) -> list[Finding]:
    """Look the store over. Never raises for what is wrong with the store."""
    try:
        place = parse(url)
    except StorageError as error:
        return [Finding("storage", Level.FAIL, str(error), "correct the storage URL")]
    if isinstance(place, MemoryPlace):
        mend = "use sqlite:///tradewind.db to keep what is said"
        return [Finding("storage", Level.WARN, "kept in memory, lost at the end", mend)]
    if isinstance(place, PostgresPlace):
        return _postgres(place)
    if isinstance(place, RocksDBPlace):
        return list(_rocksdb(place, url))
    return [*_sqlite(place.path, url), *_index(place.path)]


def _postgres(place: PostgresPlace) -> list[Finding]:
    # A large library, which the other stores do not need.
    from storage.postgres.connect import run_aside
    from storage.postgres.doctor import examine

    return run_aside(lambda: examine(place))


def _rocksdb(place: RocksDBPlace, url: str) -> Iterator[Finding]:
    """The folder; then the directory beside the log. RocksDB itself leaves traces when opened."""
    folder = place.folder
    if not folder.exists():
        yield from _missing(folder)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        mend = "let the user that runs Tradewind read and write it"
        yield Finding("log", Level.FAIL, f"{folder} cannot be written", mend)
    elif (folder / "CURRENT").exists():
        yield Finding("log", Level.OK, f"RocksDB in {folder}")
        yield from _sqlite(place.directory, url)
        yield Finding("search", Level.OK, "a log on RocksDB has no index: searches are refused")
    else:
        yield Finding("log", Level.OK, f"the log will be made in {folder} at the first start")
        yield from _sqlite(place.directory, url)


def _sqlite(path: Path, url: str) -> Iterator[Finding]:
    if not path.exists():
        yield from _missing(path)
        return
    yield _room(path)
    yield _reachable(path)
    yield _schema(path, url)
    yield from _settings(path)


def _missing(path: Path) -> Iterator[Finding]:
    if not path.parent.is_dir():
        yield Finding("storage", Level.FAIL, f"no directory {path.parent}", "create it")
        return
    yield _room(path)
    if os.access(path.parent, os.W_OK):
        yield Finding("storage", Level.OK, f"{path} will be made at the first start")
    else:
        mend = "let the user that runs Tradewind write there"
        yield Finding("storage", Level.FAIL, f"cannot write to {path.parent}", mend)


def _room(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    says = f"{free / 1e9:.1f} GB free for {path}"
    if free >= LITTLE_ROOM:
        return Finding("disk space", Level.OK, says)
    level = Level.WARN if free >= HARDLY_ROOM else Level.FAIL
    return Finding("disk space", level, says, "make room, or move the database to a larger disk")


def _reachable(path: Path) -> Finding:
    if os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK):
        return Finding("storage", Level.OK, f"{path} can be read and written")
    mend = "let the user that runs Tradewind write it and its directory"
    return Finding("storage", Level.FAIL, f"{path} cannot be written", mend)


def _schema(path: Path, url: str) -> Finding:
    try:
        version = read_version(path)
        if version is None:
            return Finding("schema", Level.OK, "empty; it is filled at the first start")
        check_version(version, url)
    except StorageError as error:
        says, _, mend = str(error).rpartition("; ")
        return Finding("schema", Level.FAIL, says or mend, mend if says else "see above")
    return Finding("schema", Level.OK, f"up to date ({version})")


def _settings(path: Path) -> Iterator[Finding]:
    """The journal mode is kept in the file; synchronous is what every connection of ours sets."""
    try:
        connection = connect(path, readonly=True)
        try:
            mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
            synchronous = int(connection.execute("PRAGMA synchronous").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield Finding("journal", Level.FAIL, str(translate(error, path)), "restore a backup")
        return
    if mode == "wal":
        yield Finding("journal", Level.OK, "write-ahead log")
    else:
        mend = "start Tradewind once: it switches the file to a write-ahead log"
        yield Finding("journal", Level.WARN, f"journal mode is {mode}", mend)
    if synchronous >= FULL:
        yield Finding("sync", Level.OK, "every commit is synced to disk")
    else:
        mend = "use a SQLite library that honours PRAGMA synchronous"
        yield Finding("sync", Level.FAIL, "commits are not synced to disk", mend)


def _index(path: Path) -> Iterator[Finding]:
    if not path.exists():
        return
    try:
        with closing(connect(path, readonly=True)) as connection:
            count = count_unindexed(connection)
    except sqlite3.Error:
        return  # An empty or older file; the schema's line says what is the matter.
    yield indexed(count, "stop the server and ")
