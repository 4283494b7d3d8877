"""Between the seam's records and the rows of their tables.

A table has a column per field, named like it. A tuple of texts is a JSON list everywhere. SQLite
knows fewer types than a record: there UUIDs are 16-byte blobs, truth values 0 and 1.

Statements have a `?` for each value, as SQLite wants it; PostgreSQL wants them `numbered`.

May import: base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Generic, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from msgspec import Struct

R = TypeVar("R", bound=Struct)

Value = str | int | bytes | None
"""What SQLite keeps."""
Plain = str | int | bytes | UUID | None
"""What a column is given, as PostgreSQL keeps it and `encode` takes it."""


class Table(Generic[R]):
    """One kind of record and its table: statements' parts, and both directions of a row."""

    def __init__(self, record: type[R], name: str) -> None:
        self.name = name
        self.fields = record.__struct_fields__
        self.columns = ", ".join(self.fields)
        self.select = f"SELECT {self.columns} FROM {name}"
        hints = get_type_hints(record)
        self._record = record
        self._decoders = [_decoder(hints[field]) for field in self.fields]

    def upsert(self, *more: str) -> str:
        """The statement that inserts or replaces a record; `more` are columns besides its fields.

        Not INSERT OR REPLACE, which would delete the rows that stand in the way of any unique
        key, not only the one with this id.
        """
        columns = (*self.fields, *more)
        places = ", ".join("?" * len(columns))
        updates = ", ".join(f"{c} = excluded.{c}" for c in columns if c != "id")
        return (
            f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({places}) "
            f"ON CONFLICT (id) DO UPDATE SET {updates}"
        )

    def insert(self) -> str:
        """The statement that inserts a record, if its id is new."""
        places = ", ".join("?" * len(self.fields))
        return (
            f"INSERT INTO {self.name} ({self.columns}) VALUES ({places}) "
            "ON CONFLICT (id) DO NOTHING"
        )

    def values(self, record: R) -> tuple[Plain, ...]:
        """A record as the values of its columns."""
        return tuple(plain(value) for value in msgspec.structs.astuple(record))

    def row(self, record: R) -> tuple[Value, ...]:
        """A record as the values of its columns in SQLite."""
        return tuple(encode(value) for value in self.values(record))

    def record(self, row: Sequence[Plain]) -> R:
        """The record that a row holds."""
        pairs = zip(self._decoders, row, strict=True)
        return self._record(*(decode(value) if decode else value for decode, value in pairs))


def plain(value: object) -> Plain:
    """A field's value as a column is given it."""
    if isinstance(value, tuple):
        return msgspec.json.encode(value).decode()
    if value is None or isinstance(value, str | int | bytes | UUID):
        return value
    raise TypeError(f"no column keeps a {type(value).__name__}")


def encode(value: Plain) -> Value:
    """A value as SQLite keeps it."""
    return value.bytes if isinstance(value, UUID) else value


@cache
def numbered(statement: str) -> str:
    """A statement as PostgreSQL wants it, with $1, $2 and so on."""
    first, *rest = statement.split("?")
    return first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))


def _decoder(hint: object) -> Callable[[Plain], object] | None:
    if hint in (UUID, UUID | None):
        return _uuid
    if hint == tuple[str, ...]:
        return _texts
    return bool if hint is bool else None


def _uuid(value: Plain) -> UUID | None:
    if isinstance(value, UUID):
        return UUID(int=value.int)  # a plain one: asyncpg's own kind is slower to compare
    return UUID(bytes=value) if isinstance(value, bytes) else None


def _texts(value: Plain) -> tuple[str, ...]:
    return msgspec.json.decode(str(value), type=tuple[str, ...])
