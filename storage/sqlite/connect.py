"""Connections to a SQLite file, the lock that keeps it to one process, errors in our terms.

What holds always: connections are in autocommit mode, transactions are ours to begin and end;
whatever SQLite raises because of the disk leaves this package as a StorageError.

May import: base.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from pathlib import Path

from storage.base import StorageError, StoreBusy, StoreFull, StoreUnavailable

BUSY_TIMEOUT = 2.0
"""Seconds to wait for a lock that somebody else's tool holds; then StoreBusy."""
STATEMENTS_CACHED = 64
"""Prepared statements kept per connection; more than we have."""
NO_ROOM = 1_048_576
"""Free bytes under which an I/O error is taken for a full disk."""
WAL_KEPT = 268_435_456
"""Bytes to which a write-ahead log that grew is cut back after a checkpoint. It is more than the
log holds at a steady rate: syncing what is written over is quicker than syncing a file that grows.
"""


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """Open the file, which must exist, with the settings that every connection of ours has."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,  # opened here, used in one other thread, closed in a third
        cached_statements=STATEMENTS_CACHED,
    )
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        if not readonly:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(path: Path) -> None:
    """Make an empty file, readable by its owner only: it will hold people's data."""
    if not path.parent.is_dir():
        raise StoreUnavailable(f"there is no directory {path.parent}; create it")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"cannot create {path}: {error.strerror}") from error


class FileLock:
    """Keeps a database file to one process; the kernel lets go of it however the process ends.

    The lock is on a file beside the database: opening and closing the database itself would drop
    the locks that SQLite holds on it (POSIX locks belong to the process, not to the descriptor).
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(path.name + "-lock")
        try:
            self._descriptor = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot create {beside}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StoreUnavailable(
                f"{path} is open in another process or store; a SQLite file serves one at a time: "
                "stop the other one, or use another file"
            ) from error

    def release(self) -> None:
        """Let the next one in. The file stays: to remove it would let two processes in."""
        os.close(self._descriptor)


def translate(error: sqlite3.Error, path: Path) -> Exception:
    """A SQLite error in the seam's terms; what is a bug of ours comes back as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return error
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(BUSY_TIMEOUT)
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN if _no_room(path):
            return _full(path)
        case sqlite3.SQLITE_ERROR:  # a mistake in a statement
            return error
        case sqlite3.SQLITE_NOTADB:
            return StoreUnavailable(f"{path} is not a SQLite database")
        case sqlite3.SQLITE_CORRUPT:
            return StoreUnavailable(f"{path} is damaged; restore it from a backup")
        case _:
            return StoreUnavailable(f"{path}: {error}")


def _full(path: Path) -> StorageError:
    return StoreFull(f"no room left on the disk of {path}; make room, then it works again")


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < NO_ROOM
    except OSError:
        return False
