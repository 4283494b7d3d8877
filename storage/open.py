"""Open the store that a URL names, and bring it to the newest schema.

A database that is missing (SQLite) or empty (PostgreSQL) is made ready by opening it, so that the
first start needs no command. One with an older schema is not touched until `migrate` is asked for.

May import: everything in storage.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from storage.base import Directory, Journal, MessageLog, Outbox, Search
from storage.commit import Bounds
from storage.memory import MemoryDirectory, MemoryLog
from storage.memory_journal import MemoryJournal
from storage.memory_outbox import MemoryOutbox
from storage.memory_search import MemorySearch
from storage.migrations import VERSIONS
from storage.remote import Link, RemoteDirectory, RemoteJournal, RemoteLog, RemoteSearch
from storage.schema import check_version, read_version
from storage.sqlite import (
    SQLiteDirectory,
    SQLiteFile,
    SQLiteJournal,
    SQLiteLog,
    SQLiteSearch,
)
from storage.sqlite.connect import create
from storage.url import MemoryPlace, PostgresPlace, RocksDBPlace, SQLitePlace, parse


class Storage:
    """What belongs together. `search` is None where there is no index, `journal` where nothing
    keeps one, `outbox` where one process does all: who commits there also publishes."""

    def __init__(
        self,
        log: MessageLog,
        directory: Directory,
        search: Search | None = None,
        journal: Journal | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self.log = log
        self.directory = directory
        self.search = search
        self.journal = journal
        self.outbox = outbox

    async def close(self) -> None:
        """Finish what waits, then release everything. May be called more than once."""
        await self.log.close()
        await self.directory.close()


def open_storage(url: str, bounds: Bounds | None = None) -> Storage:
    """Open the store; blocks for some milliseconds, more when it has to be made.

    One on a server is asked for its schema here, and then connects on the loop that uses it.

    Raises BadURL, WrongSchema or StoreUnavailable, with what to do about it.
    """
    place = parse(url)
    if isinstance(place, MemoryPlace):
        log, directory = MemoryLog(bounds), MemoryDirectory()
        outbox = MemoryOutbox(log, directory, monotonic)
        return Storage(log, directory, MemorySearch(log, directory), MemoryJournal(), outbox)
    if isinstance(place, PostgresPlace):
        return _open_postgres(place, bounds)
    if isinstance(place, RocksDBPlace):
        return _open_rocksdb(place, url, bounds)
    file = _open_sqlite(place.path, url, bounds)
    return Storage(SQLiteLog(file), SQLiteDirectory(file), SQLiteSearch(file), SQLiteJournal(file))


def _open_sqlite(path: Path, url: str, bounds: Bounds | None) -> SQLiteFile:
    version = read_version(path)
    if version is None:
        _upgrade(path)
    else:
        check_version(version, url)
    return SQLiteFile(path, bounds)


def _open_postgres(place: PostgresPlace, bounds: Bounds | None) -> Storage:
    # A large library, which the other stores do not need.
    from storage import postgres

    postgres.run_aside(lambda: postgres.prepare(place))
    database = postgres.PostgresDatabase(place, bounds)
    return Storage(
        postgres.PostgresLog(database),
        postgres.PostgresDirectory(database),
        postgres.PostgresSearch(database.pool),
        postgres.PostgresJournal(database.pool),
        postgres.PostgresOutbox(database),
    )


def _open_rocksdb(place: RocksDBPlace, url: str, bounds: Bounds | None) -> Storage:
    # A large library, which the other stores do not need.
    from storage.rocksdb import RocksDBLog, Writer, prepare

    prepare(place.folder)
    writer = Writer(place.folder)
    try:
        file = _open_sqlite(place.directory, url, bounds)
    except BaseException:
        writer.close()
        raise
    return Storage(RocksDBLog(writer, bounds), SQLiteDirectory(file), journal=SQLiteJournal(file))


def open_remote(path: Path) -> Storage:
    """The store that another process serves on a Unix socket. Connects when first asked."""
    link = Link(path)
    return Storage(RemoteLog(link), RemoteDirectory(link), RemoteSearch(link), RemoteJournal(link))


def migrate(url: str) -> str | None:
    """Bring the store to the newest schema; returns what it was before, None if it was empty.

    Does nothing to one that is up to date. Raises like `open_storage`, save for an old schema.
    """
    place = parse(url)
    if isinstance(place, MemoryPlace):
        return None
    if isinstance(place, PostgresPlace):
        return _migrate_postgres(place)
    path = _tables(place)
    version = read_version(path)
    if version is not None and version not in VERSIONS:
        check_version(version, url)
    _upgrade(path)
    return version


def _migrate_postgres(place: PostgresPlace) -> str | None:
    from storage import postgres

    return postgres.run_aside(lambda: postgres.migrate(place))


def _tables(place: SQLitePlace | RocksDBPlace) -> Path:
    """The SQLite file of a place."""
    if isinstance(place, SQLitePlace):
        return place.path
    from storage.rocksdb import prepare

    prepare(place.folder)
    return place.directory


def _upgrade(path: Path) -> None:
    from storage.migrations.upgrade import upgrade_sqlite  # slow to load, rarely needed

    create(path)
    upgrade_sqlite(path)
