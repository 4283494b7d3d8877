"""PostgresJournal: the journal that all processes of a region share.

Who writes to the records of a key holds an advisory lock on it until the end of the transaction,
and reads what decides after it has the lock. The unique index on open records is behind that, for
whatever else may write.

May import: base, journal, limits, pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from storage.base import FINAL, Record
from storage.journal import in_the_way, weigh_record
from storage.limits import check_integer, check_limit
from storage.postgres.pool import Pool

FIELDS = Record.__struct_fields__
COLUMNS = ", ".join(FIELDS)
SELECT = f"SELECT {COLUMNS} FROM journal"
_ENDED = ", ".join(f"'{state}'" for state in FINAL)
LOCKS = 0x74_77_6A_6C
"""The first half of our advisory locks, so that they meet no one else's ("twjl")."""
LOCK = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
RIVALS = f"""
    {SELECT} WHERE key = $1 AND id <> $2 AND (state NOT IN ({_ENDED}) OR token > $3)
"""
PUT = f"""
    INSERT INTO journal ({COLUMNS}) VALUES ({", ".join(f"${n + 1}" for n in range(len(FIELDS)))})
    ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in FIELDS if name != "id")}
"""
UNFINISHED = f"""
    {SELECT} WHERE state NOT IN ({_ENDED}) AND updated_at < $1 ORDER BY updated_at, id LIMIT $2
"""
FORGET = f"""
    DELETE FROM journal WHERE id IN
    (SELECT id FROM journal WHERE state IN ({_ENDED}) AND updated_at < $1 LIMIT $2)
    RETURNING id
"""
NEXT_EPOCH = """
    INSERT INTO epochs AS known (name, epoch) VALUES ($1, 1)
    ON CONFLICT (name) DO UPDATE SET epoch = known.epoch + 1 RETURNING epoch
"""


class PostgresJournal:
    """See Journal. Shares its pool with the other stores; closing either closes the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, record: Record, *, expected: str | None) -> Record:
        """See Journal."""
        weigh_record(record)

        async def put(connection: asyncpg.Connection) -> Record:
            async with connection.transaction():
                return await _put(connection, record, expected)

        return await self._pool.run(put)

    async def find_record(self, id: UUID) -> Record | None:
        """See Journal."""
        found = await self._fetch(f"{SELECT} WHERE id = $1", id)
        return _record(found[0]) if found else None

    async def unfinished(self, *, older_than: int, limit: int = 100) -> list[Record]:
        """See Journal."""
        check_integer("older_than", older_than)
        check_limit(limit)
        return [_record(row) for row in await self._fetch(UNFINISHED, older_than, limit)]

    async def forget(self, *, older_than: int, limit: int = 1_000) -> int:
        """See Journal."""
        check_integer("older_than", older_than)
        check_limit(limit)
        return len(await self._fetch(FORGET, older_than, limit))

    async def next_epoch(self, name: str) -> int:
        """See Journal."""
        [row] = await self._fetch(NEXT_EPOCH, name)
        return int(row["epoch"])

    async def close(self) -> None:
        """See Journal."""
        await self._pool.close()

    async def _fetch(self, statement: str, *values: object) -> list[Any]:
        async def fetch(connection: asyncpg.Connection) -> list[Any]:
            rows: list[Any] = await connection.fetch(statement, *values)
            return rows

        return await self._pool.run(fetch)


async def _put(connection: asyncpg.Connection, record: Record, expected: str | None) -> Record:
    await connection.execute(LOCK, LOCKS, str(record.key))
    rivals = await connection.fetch(RIVALS, record.key, record.id, record.token)
    row = await connection.fetchrow(f"{SELECT} WHERE id = $1", record.id)
    stored = None if row is None else _record(row)
    rival = in_the_way(record, expected, stored, map(_record, rivals))
    if rival is None:
        await connection.execute(PUT, *astuple(record))
    return rival or record


def _record(row: Sequence[Any]) -> Record:
    return Record(*row)
