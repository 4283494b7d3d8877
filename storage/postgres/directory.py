"""PostgresDirectory: the Directory in PostgreSQL.

May import: base, directory, limits, records, pool, search.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from storage.base import Visitor
from storage.directory import PUT_VISITOR, VISITORS, SQLDirectory
from storage.limits import check_ids, check_record
from storage.postgres import search
from storage.postgres.database import PostgresDatabase
from storage.records import Plain, numbered

VISITORS_OF = f"{VISITORS.select} WHERE id = ANY($1::uuid[])"


class PostgresDirectory(SQLDirectory):
    """See Directory. Shares its database with a PostgresLog; closing either closes both."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._pool = database.pool

    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""
        check_ids(ids)
        rows = await self._pool.run(lambda connection: connection.fetch(VISITORS_OF, list(ids)))
        found = map(VISITORS.record, rows)
        return {visitor.id: visitor for visitor in found}

    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory."""
        check_record(visitor)

        async def put(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute(numbered(PUT_VISITOR), *VISITORS.values(visitor))
                await search.call(connection, visitor)

        await self._pool.run(put)

    async def close(self) -> None:
        """See Directory."""
        await self._database.close()

    async def _rows(self, statement: str, values: Sequence[Plain]) -> Sequence[Sequence[Plain]]:
        rows: list[asyncpg.Record] = await self._pool.run(
            lambda connection: connection.fetch(numbered(statement), *values)
        )
        return rows

    async def _change(self, statement: str, values: Sequence[Plain]) -> int:
        status: str = await self._pool.run(
            lambda connection: connection.execute(numbered(statement), *values)
        )
        return int(status.rpartition(" ")[2])  # "INSERT 0 1", "UPDATE 1"
