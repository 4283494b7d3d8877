"""Between the seam's records and the rows of their tables.

A table has a column per field, named like it. SQLite knows fewer types than a record: UUIDs are
16-byte blobs, truth values 0 and 1, a tuple of texts is a JSON list.

May import: base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from msgspec import Struct

R = TypeVar("R", bound=Struct)

Value = str | int | bytes | None
"""What SQLite keeps."""


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

    def row(self, record: R) -> tuple[Value, ...]:
        """A record as the values of its columns."""
        return tuple(encode(value) for value in msgspec.structs.astuple(record))

    def record(self, row: Sequence[Value]) -> R:
        """The record that a row holds."""
        pairs = zip(self._decoders, row, strict=True)
        return self._record(*(decode(value) if decode else value for decode, value in pairs))


def encode(value: object) -> Value:
    """A field's value as SQLite keeps it."""
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, tuple):
        return msgspec.json.encode(value).decode()
    if value is None or isinstance(value, str | int | bytes):
        return value
    raise TypeError(f"no column keeps a {type(value).__name__}")


def _decoder(hint: object) -> Callable[[Value], object] | None:
    if hint in (UUID, UUID | None):
        return _uuid
    if hint == tuple[str, ...]:
        return _texts
    return bool if hint is bool else None


def _uuid(value: Value) -> UUID | None:
    return UUID(bytes=value) if isinstance(value, bytes) else None


def _texts(value: Value) -> tuple[str, ...]:
    return msgspec.json.decode(str(value), type=tuple[str, ...])
