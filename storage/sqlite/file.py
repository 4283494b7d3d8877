"""One SQLite file: a writer thread that commits in groups, and a bounded pool of readers.

What holds always: one write connection, used by the writer thread alone; reads never wait for
writes and see what was committed when they start; nothing blocks the event loop.

May import: base, commit, readers, checkpoint, connect.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from storage.base import Head, StoreUnavailable
from storage.commit import Bounds, GroupCommit
from storage.readers import Readers
from storage.sqlite.checkpoint import Checkpointer
from storage.sqlite.connect import FileLock, connect, translate

T = TypeVar("T")

MERGE = "INSERT INTO found_terms (found_terms, rank) VALUES ('merge', {})"
LEAST_MERGED, MERGED_PER_ROW = 16, 1
"""Pages of the index of words that a commit merges: at least, and for each row that it added. Left
to itself, FTS5 does the same work in bursts of ten times as much, which a commit would wait for."""
OWN_CHANGES = 4
"""Changes that SQLite counts, and a checkpoint should not, for each row that the index adds: they
are small, and lie beside each other in the log."""
READERS = 2
"""Threads that read, each with a connection of its own."""


class Writer:
    """The state of the writer thread: its connection, and what it remembers between batches.

    `heads` are the last positions of conversations written lately, by id; only the open
    transaction and committed ones are in it, so it is emptied whenever something is undone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path)
        self.heads: dict[bytes, Head] = {}
        try:
            self.connection = _connect(path)
        except sqlite3.Error as error:
            self._lock.release()
            raise translate(error, path) from error
        self._checkpointer = Checkpointer(path)
        self._changes = 0
        self.indexed = 0
        """Rows that the open transaction added to the index of words."""

    def begin(self) -> None:
        """See Transactions."""
        self._execute("BEGIN IMMEDIATE")
        self._changes = self.connection.total_changes
        self.indexed = 0

    def commit(self) -> None:
        """See Transactions."""
        if self.indexed:
            self._execute(MERGE.format(max(LEAST_MERGED, MERGED_PER_ROW * self.indexed)))
        self._execute("COMMIT")
        changes = self.connection.total_changes - self._changes
        written = max(changes - OWN_CHANGES * self.indexed, min(changes, 1))
        self._checkpointer.after_commit(self.connection, written)

    def rollback(self) -> None:
        """See Transactions. Some errors have SQLite roll back by itself."""
        self.heads.clear()
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._reopen()

    def close(self) -> None:
        """See Transactions. Closing the last connection also checkpoints."""
        self._checkpointer.close()
        try:
            self.connection.close()
        except sqlite3.Error:
            pass  # what was promised is in the write-ahead log and found there
        finally:
            self._lock.release()

    def _execute(self, statement: str) -> None:
        try:
            self.connection.execute(statement)
        except sqlite3.ProgrammingError:  # closed: an earlier attempt to reopen it failed
            self._reopen()
            raise StoreUnavailable(f"{self._path} had to be opened anew; try again") from None
        except sqlite3.Error as error:
            raise translate(error, self._path) from error

    def _reopen(self) -> None:
        try:
            self.connection.close()
            self.connection = _connect(self._path)
        except sqlite3.Error:
            pass  # it stays closed; the next transaction tries again


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA wal_autocheckpoint=0")  # the Checkpointer does it
    return connection


class SQLiteFile:
    """What SQLiteLog and SQLiteDirectory share. The file must be there, with its tables."""

    def __init__(self, path: Path, bounds: Bounds | None = None) -> None:
        self.path = path
        self._writer = Writer(path)
        self._commit = GroupCommit(self._writer, bounds)
        self._readers = Readers(READERS)
        self._connections = Connections(path)

    async def write(self, work: Callable[[Writer], T], *, drafts: int = 1, size: int = 0) -> T:
        """Run `work` in the writer thread, inside a transaction; returns once it is on disk."""

        def translated() -> T:
            try:
                return work(self._writer)
            except sqlite3.Error as error:
                raise translate(error, self.path) from error

        return await self._commit.run(translated, drafts=drafts, size=size)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a reader thread."""
        return await self._readers.run(partial(self._connections.perform, work))

    async def close(self) -> None:
        """Finish what waits and let go of the file. May be called more than once."""
        await self._readers.close()
        self._connections.close()
        await self._commit.close()


class Connections:
    """A connection for each thread that reads, opened when it first does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    def close(self) -> None:
        """Close them, once nobody reads any more."""
        while self._opened:
            self._opened.pop().close()

    def perform(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` with this thread's."""
        try:
            return work(self._connection())
        except sqlite3.Error as error:
            raise translate(error, self._path) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, readonly=True)
            self._opened.append(connection)
        return connection
