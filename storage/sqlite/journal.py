"""SQLiteJournal: the journal on a SQLite file, beside the log and through the same writer.

What decides is read in the writer thread, inside the transaction that writes.
May import: base, journal, limits, commit's writer, file, records.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from uuid import UUID

from storage.base import FINAL, Record
from storage.journal import in_the_way, weigh_record
from storage.limits import check_integer, check_limit
from storage.records import Table
from storage.sqlite.file import SQLiteFile, Writer

RECORDS = Table(Record, "journal")
PUT = RECORDS.upsert()
_ENDED = ", ".join(f"'{state}'" for state in FINAL)
RIVALS = f"""
    {RECORDS.select} WHERE key = ? AND id <> ? AND (state NOT IN ({_ENDED}) OR token > ?)
"""
UNFINISHED = f"""
    {RECORDS.select} WHERE state NOT IN ({_ENDED}) AND updated_at < ?
    ORDER BY updated_at, id LIMIT ?
"""
FORGET = f"""
    DELETE FROM journal WHERE id IN
    (SELECT id FROM journal WHERE state IN ({_ENDED}) AND updated_at < ? LIMIT ?)
"""
NEXT_EPOCH = """
    INSERT INTO epochs (name, epoch) VALUES (?, 1)
    ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1 RETURNING epoch
"""


class SQLiteJournal:
    """See Journal. Shares its file with a SQLiteLog; closing either closes the file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    async def put(self, record: Record, *, expected: str | None) -> Record:
        """See Journal."""
        size = weigh_record(record)
        return await self._file.write(partial(_put, record, expected), size=size)

    async def find_record(self, id: UUID) -> Record | None:
        """See Journal."""
        return await self._file.read(partial(_find, id))

    async def unfinished(self, *, older_than: int, limit: int = 100) -> list[Record]:
        """See Journal."""
        check_integer("older_than", older_than)
        check_limit(limit)
        return await self._file.read(partial(_unfinished, older_than, limit))

    async def forget(self, *, older_than: int, limit: int = 1_000) -> int:
        """See Journal."""
        check_integer("older_than", older_than)
        check_limit(limit)
        return await self._file.write(
            lambda writer: writer.connection.execute(FORGET, (older_than, limit)).rowcount
        )

    async def next_epoch(self, name: str) -> int:
        """See Journal."""
        return await self._file.write(
            lambda writer: int(writer.connection.execute(NEXT_EPOCH, (name,)).fetchone()[0])
        )

    async def close(self) -> None:
        """See Journal."""
        await self._file.close()


def _put(record: Record, expected: str | None, writer: Writer) -> Record:
    connection = writer.connection
    rivals = connection.execute(RIVALS, (record.key.bytes, record.id.bytes, record.token))
    found = [RECORDS.record(row) for row in rivals]
    rival = in_the_way(record, expected, _find(record.id, connection), found)
    if rival is None:
        connection.execute(PUT, RECORDS.row(record))
    return rival or record


def _find(id: UUID, connection: sqlite3.Connection) -> Record | None:
    row = connection.execute(f"{RECORDS.select} WHERE id = ?", (id.bytes,)).fetchone()
    return None if row is None else RECORDS.record(row)


def _unfinished(older_than: int, limit: int, connection: sqlite3.Connection) -> list[Record]:
    return [RECORDS.record(row) for row in connection.execute(UNFINISHED, (older_than, limit))]
