"""PostgresOutbox: what has yet to be published, in rows that the appending transaction writes.

All times are the database's. To settle is not flushed to disk: the worst is to publish again.

May import: base, limits, database, log.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from storage.base import BUS, CLAIM, Due
from storage.limits import check_ids, check_limit
from storage.postgres.database import PostgresDatabase
from storage.postgres.log import entry

# Rows that another sweeper is claiming are skipped, not waited for.
CLAIM_DUE = f"""
    WITH due AS (
        SELECT id FROM outbox
        WHERE channel = $1 AND at <= clock_timestamp() - make_interval(secs => $2)
            AND (claimed_at IS NULL
                 OR claimed_at <= clock_timestamp() - make_interval(secs => {CLAIM}))
        ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE outbox SET claimed_at = clock_timestamp() FROM due WHERE outbox.id = due.id
        RETURNING outbox.id, outbox.conversation, outbox.seq
    )
    SELECT o.id, c.shop, c.visitor,
           e.conversation, e.epoch, e.seq, e.author, e.client_id, e.kind, e.body, e.at
    FROM claimed o
    JOIN entries e ON e.conversation = o.conversation AND e.seq = o.seq
    LEFT JOIN conversations c ON c.id = o.conversation
    ORDER BY o.id
"""
SETTLE = """
    DELETE FROM outbox o USING unnest($1::uuid[], $2::bigint[]) AS s (conversation, seq)
    WHERE o.conversation = s.conversation AND o.seq = s.seq AND o.channel = $3
"""
WAITING = "SELECT count(*) FROM outbox WHERE channel = $1"


class PostgresOutbox:
    """See Outbox. Lives as long as its database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._pool = database.pool

    async def due(self, *, older_than: float, limit: int = 100, channel: str = BUS) -> list[Due]:
        """See Outbox."""
        check_limit(limit)
        rows = await self._pool.run(
            lambda connection: connection.fetch(CLAIM_DUE, channel, older_than, limit)
        )
        nobodys = [(row[3], row[5]) for row in rows if row[1] is None]
        await self.settle(nobodys, channel=channel)
        return [
            Due(id, shop, UUID(int=visitor.int), entry(*rest))
            for id, shop, visitor, *rest in rows
            if shop is not None
        ]

    async def settle(self, entries: Sequence[tuple[UUID, int]], *, channel: str = BUS) -> None:
        """See Outbox."""
        check_ids(entries)
        if not entries:
            return
        conversations, seqs = zip(*entries, strict=True)

        async def settle(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = off")
                await connection.execute(SETTLE, conversations, seqs, channel)

        await self._pool.run(settle)

    async def waiting(self, *, channel: str = BUS) -> int:
        """See Outbox."""
        count: int = await self._pool.run(lambda connection: connection.fetchval(WAITING, channel))
        return count
