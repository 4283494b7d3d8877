"""SQLiteSearch: messages and visitors by their words, on the file of the log and the directory.

A message is a row of `found`, whose id is its place, and a row of the FTS5 table `found_terms`,
which keeps no text: SQLite walks the matches from the newest place back and stops when the page is
full. A row that goes must be taken out by the very terms it was put in with, which are made from
its text again: so a change of words.py comes with a migration. Visitors have a row per word in a
plain table.

What holds always: the index is written in the writer thread, in the transaction of what it is of.
May import: base, finding, limits, words, file, records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from storage import words
from storage.base import Draft, Entry, Found, Hit, Visitor
from storage.finding import called, first_place
from storage.limits import MAX_INTEGER, check_findable, check_integer, check_limit
from storage.records import Table, Value
from storage.sqlite.file import SQLiteFile, Writer
from storage.words import Phrase, terms

VISITORS = Table(Visitor, "visitors")

ADD = """
    INSERT INTO found (id, shop, conversation, seq, author, kind, at, text)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
ADD_TERMS = "INSERT INTO found_terms (rowid, shop, terms) VALUES (?, ?, ?)"
DROP_TERMS = "INSERT INTO found_terms (found_terms, rowid, shop, terms) VALUES ('delete', ?, ?, ?)"
MESSAGES = """
    SELECT f.conversation, f.seq, f.author, f.kind, f.at, f.text, f.id
    FROM found_terms t JOIN found f ON f.id = t.rowid
    WHERE t.found_terms MATCH ? AND t.rowid < ? ORDER BY t.rowid DESC LIMIT ?
"""
HEAD = "SELECT seq FROM entries WHERE conversation = ? ORDER BY seq DESC LIMIT 1"
VISITOR_OF = f"{VISITORS.select} WHERE id = (SELECT visitor FROM conversations WHERE id = ?)"
RESET = (
    "INSERT INTO found_terms (found_terms) VALUES ('delete-all')",
    "DELETE FROM found",
    "DELETE FROM unindexed",
    "INSERT INTO unindexed SELECT id FROM conversations",
)
_HIGHEST = "\U0010ffff"
"""Sorts after whatever a word goes on with."""


class SQLiteSearch:
    """See Search. Shares its file with a SQLiteLog; closing either closes the file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    async def messages(
        self, shop: str, query: str, *, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """See Search."""
        check_limit(limit)
        check_integer("before", before or 0)
        if not (asked := words.query(query)):
            return []
        values = (_expression(shop, asked), MAX_INTEGER if before is None else before, limit)
        return await self._file.read(partial(_messages, values))

    async def visitors(self, shop: str, query: str, *, limit: int = 5) -> list[Visitor]:
        """See Search."""
        check_limit(limit)
        whole, begun = words.words(words.query(query))
        if begun is None and not whole:
            return []
        return await self._file.read(partial(_visitors, shop, whole, begun, limit))

    async def unindexed(self, *, limit: int = 100) -> list[UUID]:
        """See Search."""
        check_limit(limit)
        statement = "SELECT conversation FROM unindexed ORDER BY conversation LIMIT ?"
        return await self._file.read(
            lambda connection: [UUID(bytes=id) for (id,) in connection.execute(statement, (limit,))]
        )

    async def count_unindexed(self) -> int:
        """See Search."""
        return await self._file.read(count_unindexed)

    async def index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        """See Search."""
        for one in found:
            check_findable(one.text, one.seq)
        return await self._file.write(
            partial(_index, conversation.bytes, shop, head, tuple(found)),
            size=sum(len(one.text) for one in found),
        )

    async def reset_index(self) -> int:
        """See Search."""
        return await self._file.write(_reset)

    async def close(self) -> None:
        """See Search."""
        await self._file.close()


def count_unindexed(connection: sqlite3.Connection) -> int:
    """How many conversations still have to be indexed."""
    return int(connection.execute("SELECT count(*) FROM unindexed").fetchone()[0])


def take(writer: Writer, draft: Draft, entry: Entry) -> None:
    """Do what a stored draft says of how messages are found (writer thread)."""
    findable = draft.findable
    if findable is None:
        return
    connection, conversation = writer.connection, entry.conversation.bytes
    if findable.seq is None:
        found = Found(entry.seq, entry.author, entry.kind, entry.at, findable.text)
        _add(writer, conversation, findable.shop, found)
        return
    row = connection.execute(
        "SELECT id, shop, text FROM found WHERE conversation = ? AND seq = ?",
        (conversation, findable.seq),
    ).fetchone()
    if row is None:
        return
    id, shop, text = row
    connection.execute(DROP_TERMS, (id, _name(shop), " ".join(terms(text))))
    if findable.text:
        connection.execute("UPDATE found SET text = ? WHERE id = ?", (findable.text, id))
        connection.execute(ADD_TERMS, (id, _name(shop), " ".join(terms(findable.text))))
        writer.indexed += 1
    else:
        connection.execute("DELETE FROM found WHERE id = ?", (id,))


def call(connection: sqlite3.Connection, visitor: Visitor) -> None:
    """Find a visitor by what they are called now (writer thread)."""
    id, names = visitor.id.bytes, called(visitor)
    statement = "SELECT word FROM visitor_words WHERE visitor = ? AND shop = ?"
    known = {word for (word,) in connection.execute(statement, (id, visitor.shop))}
    if names == known:
        return
    connection.execute("DELETE FROM visitor_words WHERE visitor = ?", (id,))
    connection.executemany(
        "INSERT INTO visitor_words (shop, word, visitor) VALUES (?, ?, ?)",
        [(visitor.shop, name, id) for name in names],
    )


def _add(writer: Writer, conversation: bytes, shop: str, found: Found) -> None:
    connection = writer.connection
    place = first_place(found.at)
    rest = (shop, conversation, found.seq, found.author, found.kind, found.at, found.text)
    while not connection.execute(ADD, (place, *rest)).rowcount:
        place += 1  # another message of the same millisecond
    connection.execute(ADD_TERMS, (place, _name(shop), " ".join(terms(found.text))))
    writer.indexed += 1


def _name(shop: str) -> str:
    """A shop as one word, whatever its id is."""
    return shop.encode().hex() or "-"


def _expression(shop: str, asked: tuple[Phrase, ...]) -> str:
    """The query in FTS5's language. Terms are letters and digits, so they cannot be part of it."""
    phrases = (f'"{" ".join(terms)}"{" *" if begins else ""}' for terms, begins in asked)
    return f'shop : "{_name(shop)}" AND terms : ({" AND ".join(phrases)})'


def _messages(values: tuple[Value, ...], connection: sqlite3.Connection) -> list[Hit]:
    return [
        Hit(UUID(bytes=conversation), *rest)
        for conversation, *rest in connection.execute(MESSAGES, values)
    ]


def _visitors(
    shop: str, whole: tuple[str, ...], begun: str | None, limit: int, connection: sqlite3.Connection
) -> list[Visitor]:
    one = "SELECT visitor FROM visitor_words WHERE shop = ? AND word "
    parts, values = [one + "= ?" for _ in whole], [v for word in whole for v in (shop, word)]
    if begun is not None:
        parts.append(one + ">= ? AND word < ?")
        values += [shop, begun, begun + _HIGHEST]
    rows = connection.execute(
        f"{VISITORS.select} WHERE id IN ({' INTERSECT '.join(parts)}) "
        "ORDER BY seen_at DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    return [VISITORS.record(row) for row in rows]


def _index(
    conversation: bytes, shop: str, head: int, found: tuple[Found, ...], writer: Writer
) -> bool:
    connection = writer.connection
    row = connection.execute(HEAD, (conversation,)).fetchone()
    if (row[0] if row else 0) != head:
        return False
    known = connection.execute(
        "SELECT id, shop, text FROM found WHERE conversation = ?", (conversation,)
    ).fetchall()
    for id, where, text in known:
        connection.execute(DROP_TERMS, (id, _name(where), " ".join(terms(text))))
    connection.execute("DELETE FROM found WHERE conversation = ?", (conversation,))
    for one in sorted(found, key=lambda one: one.at):
        _add(writer, conversation, shop, one)
    visitor = connection.execute(VISITOR_OF, (conversation,)).fetchone()
    if visitor is not None:
        call(connection, VISITORS.record(visitor))
    connection.execute("DELETE FROM unindexed WHERE conversation = ?", (conversation,))
    return True


def _reset(writer: Writer) -> int:
    for statement in RESET:
        writer.connection.execute(statement)
    return count_unindexed(writer.connection)
