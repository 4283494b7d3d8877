"""One group of appends: its statements.

What holds always: the rows of its conversations in `heads` are locked in the order of their ids, so
that groups of many processes wait for each other instead of deadlocking; and a client id is stored
once, which in the end the unique index sees to.

There are two ways:
- `append_at_once`, for a group in which nothing is known to be a resend: one statement, which is a
  transaction by itself, so one round trip. It counts on every draft being new, takes as many places
  from each head as there are drafts, and fails as a whole with a UniqueViolationError when one is
  not new;
- `append`, within a transaction: it locks, then reads, then writes what is new. It reads in a
  statement after the one that locks, for under READ COMMITTED a statement sees what was committed
  before it began. With begin and commit that is five round trips.

May import: base, entries, finding, search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

import asyncpg

from storage.base import Appended, Conflict, Draft, Entry, Head
from storage.entries import FIRST_EPOCH, Key, number, place
from storage.finding import first_place
from storage.postgres import search

SETTINGS = {
    # The planner is told what it cannot know of tables that were empty a minute ago: a group is a
    # few rows of large tables, found by their keys. And it need not be asked each time.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
}
"""Of the connection that runs these statements."""

AT_ONCE = f"""
    WITH drafts AS (
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::bigint[],
            $8::bigint[], $9::text[], $10::text[], $11::text[]
        ) AS d (conversation, back, author, client_id, kind, body, at, first, shop, text, terms)
    ), moved AS (
        INSERT INTO heads (conversation, epoch, seq)
        SELECT id, {FIRST_EPOCH}, added FROM unnest($12::uuid[], $13::bigint[]) AS m (id, added)
        ON CONFLICT (conversation) DO UPDATE SET seq = heads.seq + excluded.seq
        RETURNING conversation, epoch, seq
    ), placed AS (
        SELECT d.*, m.epoch, m.seq - d.back AS seq
        FROM drafts d JOIN moved m ON m.conversation = d.conversation
    ), stored AS (
        INSERT INTO entries (conversation, epoch, seq, author, client_id, kind, body, at)
        SELECT conversation, epoch, seq, author, client_id, kind, body, at FROM placed
    ), unpublished AS (
        INSERT INTO outbox (channel, conversation, seq)
        SELECT c.channel, p.conversation, p.seq
        FROM placed p CROSS JOIN unnest($14::text[]) AS c (channel) ORDER BY p.conversation, p.seq
    ), findable AS ({search.ADD_PLACED})
    SELECT conversation, epoch, seq FROM moved
"""

# DO UPDATE locks a row that is there even where its condition is false; it writes nothing then.
LOCK = f"""
    INSERT INTO heads (conversation, epoch, seq)
    SELECT id, {FIRST_EPOCH}, 0 FROM unnest($1::uuid[]) AS ids (id)
    ON CONFLICT (conversation) DO UPDATE SET seq = heads.seq WHERE false
"""
# OFFSET 0 keeps the planner from joining whole tables: each draft is looked up by its keys.
FIND = """
    SELECT d.nth, h.epoch, h.seq, e.epoch, e.seq, e.kind, e.body, e.at
    FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY
        AS d (conversation, author, client_id, nth)
    CROSS JOIN LATERAL (
        SELECT epoch, seq FROM heads WHERE heads.conversation = d.conversation OFFSET 0
    ) AS h
    LEFT JOIN LATERAL (
        SELECT epoch, seq, kind, body, at FROM entries
        WHERE entries.conversation = d.conversation
            AND entries.author = d.author AND entries.client_id = d.client_id
        OFFSET 0
    ) AS e ON true
"""
STORE = f"""
    WITH fresh AS (
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::bytea[],
            $8::bigint[]
        ) AS f (conversation, epoch, seq, author, client_id, kind, body, at)
    ), stored AS (
        INSERT INTO entries (conversation, epoch, seq, author, client_id, kind, body, at)
        SELECT conversation, epoch, seq, author, client_id, kind, body, at FROM fresh
    ), moved AS (
        INSERT INTO heads (conversation, epoch, seq)
        SELECT id, {FIRST_EPOCH}, seq FROM unnest($9::uuid[], $10::bigint[]) AS m (id, seq)
        ON CONFLICT (conversation) DO UPDATE SET seq = excluded.seq
    )
    INSERT INTO outbox (channel, conversation, seq)
    SELECT c.channel, f.conversation, f.seq
    FROM fresh f CROSS JOIN unnest($11::text[]) AS c (channel) ORDER BY f.conversation, f.seq
"""


def may_be_at_once(drafts: Sequence[Draft]) -> bool:
    """Whether they are all different, and none changes how another message is found."""
    if any(draft.findable is not None and draft.findable.seq is not None for draft in drafts):
        return False
    return len({(d.conversation, d.author, d.client_id) for d in drafts}) == len(drafts)


async def append_at_once(
    connection: asyncpg.Connection, drafts: Sequence[Draft], channels: Sequence[str]
) -> list[Appended | Conflict]:
    """Store and commit a group; one result per draft, in order."""
    added = Counter(draft.conversation for draft in drafts)
    seen: Counter[UUID] = Counter()
    back = []
    for draft in drafts:
        seen[draft.conversation] += 1
        back.append(added[draft.conversation] - seen[draft.conversation])
    locked = sorted(added)
    rows = await connection.fetch(
        AT_ONCE,
        [draft.conversation for draft in drafts],
        back,
        [draft.author for draft in drafts],
        [draft.client_id for draft in drafts],
        [draft.kind for draft in drafts],
        [draft.body for draft in drafts],
        [draft.at for draft in drafts],
        [first_place(draft.at) for draft in drafts],
        *search.columns(drafts),
        locked,
        [added[id] for id in locked],
        channels,
    )
    heads = {id: (epoch, seq) for id, epoch, seq in rows}
    told: list[Appended | Conflict] = []
    for draft, behind in zip(drafts, back, strict=True):
        epoch, seq = heads[draft.conversation]
        told.append(Appended(place(draft, epoch, seq - behind), fresh=True))
    return told


async def append(
    connection: asyncpg.Connection, drafts: Sequence[Draft], channels: Sequence[str]
) -> list[Appended | Conflict]:
    """Store a group within the open transaction; one result per draft, in order."""
    await connection.execute(LOCK, sorted({draft.conversation for draft in drafts}))
    heads, known = await _find(connection, drafts)
    results = number(drafts, heads, known)
    fresh = list(_fresh(drafts, results))
    if fresh:
        await _store(connection, [entry for _, entry in fresh], heads, channels)
        await search.take(connection, fresh)
    return results


def _fresh(
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
    for nth, at_epoch, at_seq, epoch, seq, kind, body, at in rows:
        draft = drafts[nth - 1]
        heads[draft.conversation] = Head(at_epoch, at_seq)
        if epoch is not None:
            author, id = draft.author, draft.client_id
            entry = Entry(draft.conversation, epoch, seq, author, id, kind, body, at)
            known[draft.conversation, author, id] = entry
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
        channels,
    )
