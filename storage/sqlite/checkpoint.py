"""Moving what was committed from the write-ahead log into the database, beside the commits.

A checkpoint copies thousands of pages and syncs them: some milliseconds, which a commit should
not wait for. So it has two steps. A thread of its own copies what is in the log, while commits
go on; then the writer thread, between two transactions, copies the few pages that came meanwhile
(well under a millisecond), after which SQLite begins the log anew.

What holds always:
- one checkpoint at a time, and the two steps take turns;
- the first step starts only right after a commit that wrote something, so there is something to
  copy and the log cannot begin anew before that step ends. SQLite before 3.51.3 needs this: its
  "WAL-reset bug" is a checkpoint that finds nothing to copy while a commit begins the log anew;
- the log holds about ROWS rows and what comes during one step; when the disk is slower than the
  commits, the second step grows and holds them back;
- a checkpoint that fails loses nothing: the log keeps what was promised, and it is tried again.

May import: connect.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from storage.sqlite.connect import connect

ROWS = 8_000
"""Rows written after which the next checkpoint starts: some 80 MB of log. While one syncs, commits
wait for the disk behind it, for ten milliseconds or so. A page that many rows changed is copied
once, so at a steady rate fewer checkpoints are less work."""


class Checkpointer:
    """Driven by the writer thread, which alone calls it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._copying: Future[None] | None = None
        self._rows = 0

    def after_commit(self, connection: sqlite3.Connection, rows: int) -> None:
        """Take the next step, if it is time. `rows` is what the commit wrote."""
        self._rows += rows
        if self._copying is None:
            if rows and self._rows >= ROWS:
                self._copying = self._thread.submit(self._copy)
        elif self._copying.done():
            self._copying = None
            self._rows = 0
            _checkpoint(connection)

    def close(self) -> None:
        """Wait for the step that is under way."""
        self._thread.shutdown()

    def _copy(self) -> None:
        try:
            with closing(connect(self._path)) as connection:
                _checkpoint(connection)
        except sqlite3.Error:
            pass  # not even opened: tried again like any other that fails


def _checkpoint(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        pass  # a full disk, most often: commits will say so
