"""PostgresSearch: messages and visitors by their words, in the database of the log.

A message is a row of `found`; its terms (words.py) are a tsvector with a GIN index, whose words are
taken as they are: PostgreSQL's own dictionaries never see a text. A rare word is looked up there;
for a frequent one the planner walks the shop's messages from the newest place back and stops when
the page is full. A place is a time and a number from a sequence. Visitors have a row per word in a
plain table.

What holds always: the index is written in the transaction of what it is of, after the row of the
conversation in `heads` was locked; a NUL, which PostgreSQL keeps in no text, is kept as a space.
May import: base, finding, limits, words, pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from storage import words
from storage.base import Draft, Entry, Found, Hit, Visitor
from storage.finding import PLACE_BITS, called, first_place
from storage.limits import MAX_INTEGER, check_findable, check_integer, check_limit
from storage.postgres.pool import Pool
from storage.words import Phrase, terms

ADD = f"""
    INSERT INTO found (place, shop, conversation, seq, author, kind, at, text, terms)
    SELECT first | (nextval('found_places') & {2**PLACE_BITS - 1}),
           shop, conversation, seq, author, kind, at, text, terms::tsvector
    FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[],
                $7::bigint[], $8::text[], $9::text[])
         AS added (first, shop, conversation, seq, author, kind, at, text, terms)
    ON CONFLICT (place) DO NOTHING
"""
ADD_PLACED = f"""
    INSERT INTO found (place, shop, conversation, seq, author, kind, at, text, terms)
    SELECT first | (nextval('found_places') & {2**PLACE_BITS - 1}),
           shop, conversation, seq, author, kind, at, text, terms::tsvector
    FROM placed WHERE shop IS NOT NULL
"""
"""Within a statement that knows `placed`: the drafts with their places and their `columns`."""
CHANGE = """
    UPDATE found SET text = $3, terms = $4::text::tsvector WHERE conversation = $1 AND seq = $2
"""
REMOVE = "DELETE FROM found WHERE conversation = $1 AND seq = $2"
MESSAGES = """
    SELECT conversation, seq, author, kind, at, text, place FROM found
    WHERE shop = $1 AND terms @@ $2::text::tsquery AND place < $3 ORDER BY place DESC LIMIT $4
"""
OWN_PLAN = "SET LOCAL plan_cache_mode = force_custom_plan"
"""Which way is the quick one depends on the words, so each query is planned by its own."""
HEAD = "SELECT seq FROM heads WHERE conversation = $1 FOR UPDATE"
FIELDS = ", ".join(Visitor.__struct_fields__)
VISITOR_OF = f"""
    SELECT {FIELDS} FROM visitors
    WHERE id = (SELECT visitor FROM conversations WHERE id = $1)
"""
RESET = """
    TRUNCATE found, visitor_words, unindexed;
    INSERT INTO unindexed SELECT id FROM conversations;
"""
_HIGHEST = "\U0010ffff"
"""Sorts after whatever a word goes on with."""


class PostgresSearch:
    """See Search. Shares its pool with a PostgresDirectory; closing either closes the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def messages(
        self, shop: str, query: str, *, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """See Search."""
        check_limit(limit)
        check_integer("before", before or 0)
        if not (asked := words.query(query)):
            return []
        values = (shop, _expression(asked), MAX_INTEGER if before is None else before, limit)
        return await self._pool.run(partial(_messages, values))

    async def visitors(self, shop: str, query: str, *, limit: int = 5) -> list[Visitor]:
        """See Search."""
        check_limit(limit)
        whole, begun = words.words(words.query(query))
        if begun is None and not whole:
            return []
        return await self._pool.run(partial(_visitors, shop, whole, begun, limit))

    async def unindexed(self, *, limit: int = 100) -> list[UUID]:
        """See Search."""
        check_limit(limit)
        statement = "SELECT conversation FROM unindexed ORDER BY conversation LIMIT $1"

        async def read(connection: asyncpg.Connection) -> list[UUID]:
            return [_uuid(row[0]) for row in await connection.fetch(statement, limit)]

        return await self._pool.run(read)

    async def count_unindexed(self) -> int:
        """See Search."""
        return await self._pool.run(count_unindexed)

    async def index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        """See Search."""
        for one in found:
            check_findable(one.text, one.seq)
        return await self._pool.run(partial(_index, conversation, shop, head, found))

    async def reset_index(self) -> int:
        """See Search."""
        return await self._pool.run(_reset)

    async def close(self) -> None:
        """See Search."""
        await self._pool.close()


def columns(drafts: Iterable[Draft]) -> tuple[list[str | None], ...]:
    """For ADD_PLACED: shop, text and terms of each draft that adds a message, else None."""
    rows = [
        (found.shop, _kept(found.text), _vector(found.text)) if found else (None, None, None)
        for found in (draft.findable for draft in drafts)
    ]
    shops, texts, vectors = zip(*rows, strict=True)
    return list(shops), list(texts), list(vectors)


async def take(connection: asyncpg.Connection, stored: Iterable[tuple[Draft, Entry]]) -> None:
    """Do what drafts, stored in this transaction and in this order, say of how they are found."""
    new: list[tuple[UUID, str, Found]] = []
    for draft, entry in stored:
        findable = draft.findable
        if findable is None:
            continue
        if findable.seq is None:
            found = Found(entry.seq, entry.author, entry.kind, entry.at, findable.text)
            new.append((entry.conversation, findable.shop, found))
            continue
        await _add(connection, new)  # It may be one of these that is changed.
        new = []
        if findable.text:
            text = _kept(findable.text)
            vector = _vector(findable.text)
            await connection.execute(CHANGE, entry.conversation, findable.seq, text, vector)
        else:
            await connection.execute(REMOVE, entry.conversation, findable.seq)
    await _add(connection, new)


async def call(connection: asyncpg.Connection, visitor: Visitor) -> None:
    """Find a visitor by what they are called now."""
    names = called(visitor)
    statement = "SELECT word FROM visitor_words WHERE visitor = $1 AND shop = $2"
    known = {row[0] for row in await connection.fetch(statement, visitor.id, visitor.shop)}
    if names == known:
        return
    await connection.execute("DELETE FROM visitor_words WHERE visitor = $1", visitor.id)
    await connection.execute(
        "INSERT INTO visitor_words (shop, word, visitor) SELECT $1, unnest($2::text[]), $3 "
        "ON CONFLICT DO NOTHING",
        visitor.shop,
        list(names),
        visitor.id,
    )


async def _add(connection: asyncpg.Connection, new: Sequence[tuple[UUID, str, Found]]) -> None:
    """Find these. One whose place is taken, once in a million, gets the next number."""
    left = {
        (conversation, found.seq): (conversation, shop, found) for conversation, shop, found in new
    }
    while left:
        rows = [
            (
                first_place(found.at),
                shop,
                conversation,
                *astuple(found)[:4],
                _kept(found.text),
                _vector(found.text),
            )
            for conversation, shop, found in left.values()
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        added = await connection.fetch(f"{ADD} RETURNING conversation, seq", *columns)
        for row in added:
            del left[_uuid(row[0]), row[1]]


async def _messages(values: tuple[str, str, int, int], connection: asyncpg.Connection) -> list[Hit]:
    async with connection.transaction(readonly=True):
        await connection.execute(OWN_PLAN)
        return [Hit(_uuid(row[0]), *row[1:]) for row in await connection.fetch(MESSAGES, *values)]


async def _visitors(
    shop: str,
    whole: tuple[str, ...],
    begun: str | None,
    limit: int,
    connection: asyncpg.Connection,
) -> list[Visitor]:
    values: list[object] = [shop, limit, *whole]
    one = "SELECT visitor FROM visitor_words WHERE shop = $1 AND word "
    parts = [f"{one}= ${at}" for at in range(3, 3 + len(whole))]
    if begun is not None:
        parts.append(f"{one}>= ${len(values) + 1} AND word < ${len(values) + 2}")
        values += [begun, begun + _HIGHEST]
    statement = (
        f"SELECT {FIELDS} FROM visitors WHERE id IN ({' INTERSECT '.join(parts)}) "
        "ORDER BY seen_at DESC, id DESC LIMIT $2"
    )
    return [_visitor(row) for row in await connection.fetch(statement, *values)]


async def _index(
    conversation: UUID,
    shop: str,
    head: int,
    found: Sequence[Found],
    connection: asyncpg.Connection,
) -> bool:
    async with connection.transaction():
        if (await connection.fetchval(HEAD, conversation) or 0) != head:
            return False
        await connection.execute("DELETE FROM found WHERE conversation = $1", conversation)
        await _add(connection, [(conversation, shop, one) for one in found])
        visitor = await connection.fetchrow(VISITOR_OF, conversation)
        if visitor is not None:
            await call(connection, _visitor(visitor))
        await connection.execute("DELETE FROM unindexed WHERE conversation = $1", conversation)
    return True


async def _reset(connection: asyncpg.Connection) -> int:
    async with connection.transaction():
        await connection.execute(RESET)
        return await count_unindexed(connection)


async def count_unindexed(connection: asyncpg.Connection) -> int:
    """How many conversations still have to be indexed."""
    return int(await connection.fetchval("SELECT count(*) FROM unindexed"))


def _expression(asked: tuple[Phrase, ...]) -> str:
    """The query in PostgreSQL's language. Terms are letters and digits, so they cannot be part."""
    phrases = (
        " <-> ".join(f"'{term}'" for term in terms) + (":*" if begins else "")
        for terms, begins in asked
    )
    return " & ".join(f"({phrase})" for phrase in phrases)


def _vector(text: str) -> str:
    """The terms as a tsvector is written. Positions beyond its highest count as that."""
    return " ".join(f"'{term}':{at}" for at, term in enumerate(terms(text), 1))


def _kept(text: str) -> str:
    return text.replace("\0", " ")


def _uuid(value: UUID) -> UUID:
    """A plain one: the driver's own kind is slower to compare."""
    return UUID(int=value.int)


def _visitor(row: asyncpg.Record) -> Visitor:
    id, *rest = row
    return Visitor(_uuid(id), *rest)
