"""The writer thread's transactions: what a group of drafts adds is gathered, then written at once.

After a write that failed RocksDB takes no more, and what the system had been given of it may be
found again by whoever opens the folder next. So the next commit that has something to store opens
the database anew, once there is room for that, and deletes those rows before anything else. Until
then reads and resends are answered by the old one, which hides them.

What holds always: nothing is written before `commit`; the heads that are remembered are committed.

May import: base, entries, limits, layout, database, errors.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from storage.base import Draft, Entry, Head, StorageError, StoreBusy, StoreUnavailable
from storage.entries import FIRST_EPOCH
from storage.rocksdb.database import Database
from storage.rocksdb.errors import full
from storage.rocksdb.layout import client_key, entry_key, pack_entry, pack_seq

T = TypeVar("T")

HEADS_CACHED = 8_192
"""Conversations whose head the writer remembers; over it, the one remembered longest goes."""
SPARE = 4_194_304
"""Free bytes, beside the size of the write-ahead logs, that opening anew takes: it sorts what is in
the logs into files."""


class Writer:
    """See Transactions. `read` is for reader threads, all else for the writer thread alone.

    Opening blocks for some milliseconds, longer after a crash.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swapping = threading.Lock()
        self._database: Database | None = Database(folder)
        self._heads: dict[bytes, Head] = {}
        self._doubtful: tuple[bytes, ...] = ()
        self._forget()

    def read(self, work: Callable[[Database], T]) -> T:
        """Run `work`, which must not keep the database."""
        with self._swapping:
            return work(self._open())

    def find(self, draft: Draft) -> Entry | None:
        """What is stored, or about to be, under the draft's client id."""
        conversation = draft.conversation.bytes
        key = client_key(conversation, draft.author, draft.client_id.bytes)
        return self._known.get(key) or self._open().find(conversation, key)

    def head(self, id: UUID) -> Head:
        """The last position of a conversation, the open transaction's entries included."""
        conversation = id.bytes
        head = self._moved.get(conversation) or self._heads.get(conversation)
        return head or self._open().head(conversation) or Head(FIRST_EPOCH, 0)

    def add(self, entry: Entry) -> None:
        """Store it with the open transaction."""
        conversation = entry.conversation.bytes
        key = client_key(conversation, entry.author, entry.client_id.bytes)
        self._rows[entry_key(conversation, entry.seq)] = pack_entry(entry)
        self._rows[key] = pack_seq(entry.seq)
        self._known[key] = entry
        self._fresh.setdefault(conversation, entry.seq)
        self._moved[conversation] = Head(entry.epoch, entry.seq)

    def begin(self) -> None:
        """See Transactions."""
        if self._database is None:
            self._open_anew()

    def commit(self) -> None:
        """See Transactions."""
        if self._rows:
            if self._doubtful:
                self._open_anew()
            self._write()
            self._remember()
            self._forget()

    def rollback(self) -> None:
        """See Transactions."""
        self._forget()

    def close(self) -> None:
        """See Transactions."""
        with self._swapping:
            if self._database is not None:
                self._database.close()
            self._database = None

    def _write(self) -> None:
        try:
            self._open().write(self._rows, self._fresh)
        except StoreBusy:
            raise
        except StorageError:
            self._doubtful = tuple(self._rows)
            raise

    def _remember(self) -> None:
        self._heads.update(self._moved)
        while len(self._heads) > HEADS_CACHED:
            del self._heads[next(iter(self._heads))]

    def _forget(self) -> None:
        """What the open transaction adds: none of it."""
        self._rows: dict[bytes, bytes] = {}
        self._known: dict[bytes, Entry] = {}
        self._fresh: dict[bytes, int] = {}
        self._moved: dict[bytes, Head] = {}

    def _open(self) -> Database:
        if self._database is None:
            raise StoreUnavailable(f"{self._folder} could not be opened anew; see to its disk")
        return self._database

    def _open_anew(self) -> None:
        self._check_room()
        with self._swapping:
            if self._database is not None:
                self._database.abandon()
            self._database = None
            database = Database(self._folder)
            database.write(dict.fromkeys(self._doubtful), {})
            self._doubtful = ()
            self._database = database

    def _check_room(self) -> None:
        logs = sum(log.stat().st_size for log in self._folder.glob("*.log"))
        if shutil.disk_usage(self._folder).free < logs + SPARE:
            raise full(self._folder)
