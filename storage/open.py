"""Open the store that a URL names, and bring it to the newest schema.

A SQLite file that is missing or empty is made ready by opening it, so that the embedded store
needs no command. One with an older schema is not touched until `migrate` is asked for.

May import: everything in storage.
"""

from __future__ import annotations

from pathlib import Path

from storage.base import Directory, MessageLog
from storage.commit import Bounds
from storage.memory import MemoryDirectory, MemoryLog
from storage.migrations import VERSIONS
from storage.remote import Link, RemoteDirectory, RemoteLog
from storage.schema import check_version, read_version
from storage.sqlite import SQLiteDirectory, SQLiteFile, SQLiteLog
from storage.sqlite.connect import create
from storage.url import MemoryPlace, parse


class Storage:
    """A log and a directory that belong together."""

    def __init__(self, log: MessageLog, directory: Directory) -> None:
        self.log = log
        self.directory = directory

    async def close(self) -> None:
        """Finish what waits, then release everything. May be called more than once."""
        await self.log.close()
        await self.directory.close()


def open_storage(url: str, bounds: Bounds | None = None) -> Storage:
    """Open the store; blocks for some milliseconds, more when it has to be made.

    Raises BadURL, WrongSchema or StoreUnavailable, with what to do about it.
    """
    place = parse(url)
    if isinstance(place, MemoryPlace):
        return Storage(MemoryLog(bounds), MemoryDirectory())
    version = read_version(place.path)
    if version is None:
        _upgrade(place.path)
    else:
        check_version(version, url)
    file = SQLiteFile(place.path, bounds)
    return Storage(SQLiteLog(file), SQLiteDirectory(file))


def open_remote(path: Path) -> Storage:
    """The store that another process serves on a Unix socket. Connects when first asked."""
    link = Link(path)
    return Storage(RemoteLog(link), RemoteDirectory(link))


def migrate(url: str) -> str | None:
    """Bring the store to the newest schema; returns what it was before, None if it was empty.

    Does nothing to one that is up to date. Raises like `open_storage`, save for an old schema.
    """
    place = parse(url)
    if isinstance(place, MemoryPlace):
        return None
    version = read_version(place.path)
    if version is not None and version not in VERSIONS:
        check_version(version, url)
    _upgrade(place.path)
    return version


def _upgrade(path: Path) -> None:
    from storage.migrations.upgrade import upgrade_sqlite  # slow to load, rarely needed

    create(path)
    upgrade_sqlite(path)
