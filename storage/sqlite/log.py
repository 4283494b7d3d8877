"""SQLiteLog: the MessageLog on a SQLite file.

An entry's place is known before it is written: the writer thread alone numbers entries and
remembers the heads of the conversations it wrote lately. One INSERT per draft both stores it and
finds out whether its client id was used before (the unique index says so).

May import: base, entries, limits, commit, file, search.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from storage.base import Appended, Conflict, Draft, Entry, Head
from storage.entries import FIRST_EPOCH, answer_resend, place
from storage.limits import MAX_INTEGER, check_ids, check_integer, check_limit, weigh
from storage.sqlite import search
from storage.sqlite.file import SQLiteFile, Writer

HEADS_CACHED = 8_192
"""Conversations whose head the writer remembers; over it, the one remembered longest goes."""

INSERT = """
    INSERT INTO entries (conversation, seq, epoch, author, client_id, kind, body, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (conversation, author, client_id) DO NOTHING
"""
COLUMNS = "conversation, epoch, seq, author, client_id, kind, body, at"
"""In the order of Entry's fields."""
FIND = f"SELECT {COLUMNS} FROM entries WHERE conversation = ? AND author = ? AND client_id = ?"
HEAD = "SELECT epoch, seq FROM entries WHERE conversation = ? ORDER BY seq DESC LIMIT 1"
AFTER = f"SELECT {COLUMNS} FROM entries WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?"
BEFORE = (
    f"SELECT {COLUMNS} FROM entries WHERE conversation = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
)


class SQLiteLog:
    """See MessageLog. Shares its file with a SQLiteDirectory; closing either closes the file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        size = weigh(drafts)
        work = partial(_append, tuple(drafts))
        return await self._file.write(work, drafts=len(drafts), size=size)

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        check_integer("after", after)
        check_limit(limit)
        return await self._file.read(
            lambda connection: _entries(connection, AFTER, (conversation.bytes, after, limit))
        )

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        check_integer("before", before or 0)
        check_limit(limit)
        end = MAX_INTEGER if before is None else before
        return await self._file.read(
            lambda connection: _entries(connection, BEFORE, (conversation.bytes, end, limit))[::-1]
        )

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        check_ids(conversations)
        return await self._file.read(partial(_heads, tuple(conversations)))

    async def close(self) -> None:
        """See MessageLog."""
        await self._file.close()


def _append(drafts: Sequence[Draft], writer: Writer) -> list[Appended | Conflict]:
    return [_append_one(draft, writer) for draft in drafts]


def _append_one(draft: Draft, writer: Writer) -> Appended | Conflict:
    conversation, client_id = draft.conversation.bytes, draft.client_id.bytes
    head = writer.heads.get(conversation) or _load_head(conversation, writer)
    seq = head.seq + 1
    inserted = writer.connection.execute(
        INSERT,
        (
            conversation,
            seq,
            head.epoch,
            draft.author,
            client_id,
            draft.kind,
            draft.body,
            draft.at,
        ),
    ).rowcount
    if inserted:
        writer.heads[conversation] = Head(head.epoch, seq)
        entry = place(draft, head.epoch, seq)
        search.take(writer, draft, entry)
        return Appended(entry, fresh=True)
    [stored] = _entries(writer.connection, FIND, (conversation, draft.author, client_id))
    return answer_resend(draft, stored)


def _load_head(conversation: bytes, writer: Writer) -> Head:
    row = writer.connection.execute(HEAD, (conversation,)).fetchone()
    head = Head(*row) if row else Head(FIRST_EPOCH, 0)
    if len(writer.heads) >= HEADS_CACHED:
        del writer.heads[next(iter(writer.heads))]
    writer.heads[conversation] = head
    return head


def _heads(conversations: Sequence[UUID], connection: sqlite3.Connection) -> dict[UUID, Head]:
    rows = ((id, connection.execute(HEAD, (id.bytes,)).fetchone()) for id in conversations)
    return {id: Head(*row) for id, row in rows if row}


def _entries(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...]
) -> list[Entry]:
    return [
        Entry(UUID(bytes=conversation), epoch, seq, author, UUID(bytes=client_id), kind, body, at)
        for conversation, epoch, seq, author, client_id, kind, body, at in connection.execute(
            statement, values
        )
    ]
