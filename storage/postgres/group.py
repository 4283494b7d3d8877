"""One group of appends: the statements of its transaction.

A group locks the rows of its conversations in `heads`, in the order of their ids, so that groups of
many processes wait for each other instead of deadlocking. Only then it reads, in a statement of its
own: under READ COMMITTED that sees whatever those who held the locks before have committed. So the
numbers are gapless, and a client id is stored once. With begin and commit that is five round trips,
however many drafts there are.

What holds always: nothing is decided by what was read before the locks were held.
May import: base, entries, search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import asyncpg

from storage.base import Appended, Conflict, Draft, Entry, Head
from storage.entries import FIRST_EPOCH, Key, number
from storage.postgres import search

SETTINGS = {
    # The planner is told what it cannot know of tables that were empty a minute ago: a group is a
    # few rows of large tables, found by their keys. And it need not be asked each time.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Of the connection that runs these statements."""

# DO UPDATE locks a row that is there even where its condition is false; it writes nothing then.
LOCK = f"""
    INSERT INTO heads (conversation, epoch, seq)
    SELECT id, {FIRST_EPOCH}, 0 FROM unnest($1::uuid[]) AS ids (id)
    ON CONFLICT (conversation) DO UPDATE SET seq = heads.seq WHERE false
"""
FIND = """
    SELECT h.conversation, h.epoch, h.seq,
           e.epoch, e.seq, e.author, e.client_id, e.kind, e.body, e.at
    FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS d (conversation, author, client_id)
    JOIN heads h ON h.conversation = d.conversation
    LEFT JOIN entries e ON e.conversation = d.conversation
        AND e.author = d.author AND e.client_id = d.client_id
"""
STORE = """
    WITH fresh AS (
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::bytea[],
            $8::bigint[]
        ) AS f (conversation, epoch, seq, author, client_id, kind, body, at)
    ), stored AS (
        INSERT INTO entries (conversation, epoch, seq, author, client_id, kind, body, at)
        SELECT conversation, epoch, seq, author, client_id, kind, body, at FROM fresh
    ), moved AS (
        UPDATE heads SET seq = m.seq
        FROM unnest($9::uuid[], $10::bigint[]) AS m (conversation, seq)
        WHERE heads.conversation = m.conversation
    )
    INSERT INTO outbox (channel, conversation, seq)
    SELECT c.channel, f.conversation, f.seq
    FROM fresh f CROSS JOIN unnest($11::text[]) AS c (channel)
"""


async def append(
    connection: asyncpg.Connection, drafts: Sequence[Draft], channels: Sequence[str]
) -> list[Appended | Conflict]:
    """Store a group within the open transaction; one result per draft, in order."""
    await connection.execute(LOCK, sorted({draft.conversation for draft in drafts}))
    heads, known = await _find(connection, drafts)
    results = number(drafts, heads, known)
    fresh = [told.entry for told in results if isinstance(told, Appended) and told.fresh]
    if fresh:
        await _store(connection, fresh, heads, channels)
        await search.take(connection, _stored(drafts, results))
    return results


def _stored(
    drafts: Sequence[Draft], results: Sequence[Appended | Conflict]
) -> Iterator[tuple[Draft, Entry]]:
    for draft, told in zip(drafts, results, strict=True):
        if isinstance(told, Appended) and told.fresh:
            yield draft, told.entry


async def _find(
    connection: asyncpg.Connection, drafts: Sequence[Draft]
) -> tuple[dict[UUID, Head], dict[Key, Entry]]:
    rows = await connection.fetch(
        FIND,
        [draft.conversation for draft in drafts],
        [draft.author for draft in drafts],
        [draft.client_id for draft in drafts],
    )
    heads: dict[UUID, Head] = {}
    known: dict[Key, Entry] = {}
    for conversation, at_epoch, at_seq, epoch, seq, author, client_id, kind, body, at in rows:
        heads[conversation] = Head(at_epoch, at_seq)
        if epoch is not None:
            entry = Entry(conversation, epoch, seq, author, client_id, kind, body, at)
            known[conversation, author, client_id] = entry
    return heads, known


async def _store(
    connection: asyncpg.Connection,
    fresh: Sequence[Entry],
    heads: dict[UUID, Head],
    channels: Sequence[str],
) -> None:
    await connection.execute(
        STORE,
        [entry.conversation for entry in fresh],
        [entry.epoch for entry in fresh],
        [entry.seq for entry in fresh],
        [entry.author for entry in fresh],
        [entry.client_id for entry in fresh],
        [entry.kind for entry in fresh],
        [entry.body for entry in fresh],
        [entry.at for entry in fresh],
        list(heads),
        [head.seq for head in heads.values()],
        list(channels),
    )
