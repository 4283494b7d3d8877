"""SQLiteDirectory: the Directory on a SQLite file, beside the log and through the same writer.

May import: base, directory, limits, commit, file, records, search.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from storage.base import Missing, NotUnique, Visitor
from storage.directory import PUT_VISITOR, VISITORS, SQLDirectory
from storage.limits import check_ids, check_record
from storage.records import Plain, Value, encode
from storage.sqlite import search
from storage.sqlite.file import SQLiteFile, Writer


class SQLiteDirectory(SQLDirectory):
    """See Directory. Shares its file with a SQLiteLog; closing either closes the file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""
        check_ids(ids)
        return await self._file.read(partial(_visitors, tuple(ids)))

    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory."""
        check_record(visitor)
        await self._file.write(partial(_put_visitor, visitor), size=len(visitor.profile))

    async def close(self) -> None:
        """See Directory."""
        await self._file.close()

    async def _rows(self, statement: str, values: Sequence[Plain]) -> Sequence[Sequence[Plain]]:
        encoded = tuple(map(encode, values))
        return await self._file.read(
            lambda connection: connection.execute(statement, encoded).fetchall()
        )

    async def _change(self, statement: str, values: Sequence[Plain]) -> int:
        encoded = tuple(map(encode, values))
        size = sum(len(value) for value in values if isinstance(value, str))
        return await self._file.write(
            lambda writer: _execute(writer, statement, encoded), size=size
        )


def _execute(writer: Writer, statement: str, values: tuple[Value, ...]) -> int:
    """Run one writing statement; the records it changed. A refused statement changes nothing."""
    try:
        return writer.connection.execute(statement, values).rowcount
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise NotUnique(f"another record has the same value: {error}") from error
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise Missing(
                "the shop or visitor that the record belongs to does not exist"
            ) from error
        raise


def _put_visitor(visitor: Visitor, writer: Writer) -> None:
    _execute(writer, PUT_VISITOR, VISITORS.row(visitor))
    search.call(writer.connection, visitor)


def _visitors(ids: Sequence[UUID], connection: sqlite3.Connection) -> dict[UUID, Visitor]:
    statement = f"{VISITORS.select} WHERE id = ?"
    rows = ((id, connection.execute(statement, (id.bytes,)).fetchone()) for id in ids)
    return {id: VISITORS.record(row) for id, row in rows if row}
