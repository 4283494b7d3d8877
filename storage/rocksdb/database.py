"""One open database: writes that are on disk when they return, and scans that see only such ones.

What holds always: nobody reads what is not synced yet. Rows are in the database from the moment in
which they are copied to the system, so `write` is told first which entries are new, and hides them
until the disk has them; should it fail they stay hidden. Whoever reads makes the iterator, which
sees what was written until then, and only then looks up what is hidden: by then that is synced, or
still hidden.

May import: base, limits, schema, layout, options, errors.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from rocksdict import Rdict, RdictIter, WriteBatch

from storage.base import Entry, Head, StorageError, StoreBusy
from storage.limits import MAX_INTEGER
from storage.rocksdb import options
from storage.rocksdb.errors import HELD_BACK, damaged, translate
from storage.rocksdb.layout import (
    FORMAT,
    VERSION,
    entry_key,
    entry_prefix,
    seq_of,
    unpack_entry,
    unpack_seq,
)
from storage.schema import WrongSchema

PATIENCE = 5.0
"""Seconds for which a write is repeated that RocksDB holds back, because the disk cannot keep up;
then StoreBusy."""
PAUSE = 0.002
"""Seconds between two attempts."""


class Database:
    """A folder with a database, made if there is none. Writes come from one thread, reads from any.

    Raises StoreUnavailable, StoreFull or WrongSchema when it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hidden: Mapping[bytes, int] = {}
        self._within = options.within_conversation()
        settings = options.database()
        try:
            # The settings twice: rocksdict would take those of the file for the column family.
            self._rocks = Rdict(str(folder), settings, {"default": settings})
        except Exception as error:
            raise _opening(error, folder) from error
        self._rocks.set_write_options(options.unsynced())
        self._check_format()

    def write(self, rows: Mapping[bytes, bytes | None], fresh: Mapping[bytes, int]) -> None:
        """Store rows, or delete those without a value; on disk when it returns.

        `fresh` is the first seq of each conversation that is among the rows. When it raises, none
        of the rows is read from this database any more, but whoever opens it anew may find them;
        none will after StoreBusy.
        """
        self._hidden = fresh
        try:
            self._copy(rows)
        except StoreBusy:
            self._hidden = {}  # nothing of it was written
            raise
        try:
            self._rocks.flush_wal(True)
        except Exception as error:
            raise translate(error, self._folder) from error
        self._hidden = {}

    def _copy(self, rows: Mapping[bytes, bytes | None]) -> None:
        until = time.monotonic() + PATIENCE
        while not self._copied(rows):
            if time.monotonic() > until:
                raise StoreBusy(PATIENCE)
            time.sleep(PAUSE)

    def _copied(self, rows: Mapping[bytes, bytes | None]) -> bool:
        batch = WriteBatch(raw_mode=True)  # one is good for one attempt
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        try:
            self._rocks.write(batch)
        except Exception as error:
            if str(error).startswith(HELD_BACK):
                return False
            raise translate(error, self._folder) from error
        return True

    def find(self, conversation: bytes, client_key: bytes) -> Entry | None:
        """The entry under a client key."""
        value = self._get(client_key)
        if value is None:
            return None
        seq = unpack_seq(value)
        if seq >= self._hidden.get(conversation, MAX_INTEGER):
            return None
        found = self.entries(conversation, seq, limit=1)
        if not found or found[0].seq != seq:
            raise damaged(self._folder, "a client id without its entry")
        return found[0]

    def entries(
        self, conversation: bytes, start: int, *, limit: int, backwards: bool = False
    ) -> list[Entry]:
        """At most `limit` entries, from seq `start` on or from there backwards."""
        rows = self._rocks.iter(self._within)
        try:
            last = self._hidden.get(conversation, MAX_INTEGER + 1) - 1
            if backwards:
                rows.seek_for_prev(entry_key(conversation, min(start, last)))
            else:
                rows.seek(entry_key(conversation, start))
            found = _collect(rows, entry_prefix(conversation), last, limit, backwards)
            rows.status()
        except msgspec.MsgspecError as error:
            raise damaged(self._folder, str(error)) from error
        except Exception as error:
            raise translate(error, self._folder) from error
        finally:
            del rows  # it would keep the database open for as long as somebody keeps the error
        return found

    def head(self, conversation: bytes) -> Head | None:
        """The position of the last entry, if there is one."""
        last = self.entries(conversation, MAX_INTEGER, limit=1, backwards=True)
        return Head(last[0].epoch, last[0].seq) if last else None

    def close(self) -> None:
        """Sort what is in memory into files, so that the next start has nothing to read again."""
        try:
            self._rocks.close()
        except Exception:
            pass  # a full disk, most often: what was promised is in the write-ahead log

    def abandon(self) -> None:
        """Let go of the folder without writing anything more."""
        del self._rocks

    def _get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._rocks.get(key)
        except Exception as error:
            raise translate(error, self._folder) from error
        return value

    def _check_format(self) -> None:
        told = self._get(FORMAT)
        if told is None:
            self._claim()
        elif told != b"%d" % VERSION:
            raise WrongSchema(
                f"{self._folder} has format {told.decode(errors='replace')}, made by a newer "
                f"Tradewind than this one, which knows up to {VERSION}; start the newer one"
            )

    def _claim(self) -> None:
        rows = self._rocks.iter()
        rows.seek_to_first()
        if rows.valid():
            raise _foreign(self._folder)
        self.write({FORMAT: b"%d" % VERSION}, {})


def _collect(rows: RdictIter, prefix: bytes, last: int, limit: int, backwards: bool) -> list[Entry]:
    found: list[Entry] = []
    step = rows.prev if backwards else rows.next
    while len(found) < limit and rows.valid():
        key = rows.key()
        if not key.startswith(prefix) or seq_of(key) > last:
            break
        found.append(unpack_entry(key, rows.value()))
        step()
    return found


def _opening(error: Exception, folder: Path) -> StorageError:
    if "Column families not opened" in str(error):
        return _foreign(folder)
    return translate(error, folder)


def _foreign(folder: Path) -> WrongSchema:
    return WrongSchema(f"{folder} holds a database of another program; choose another folder")
