"""PostgresLog: the MessageLog in PostgreSQL.

May import: base, limits, database.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from storage.base import Appended, Conflict, Draft, Entry, Head
from storage.limits import MAX_INTEGER, check_ids, check_integer, check_limit, weigh
from storage.postgres.database import PostgresDatabase

COLUMNS = "conversation, epoch, seq, author, client_id, kind, body, at"
"""In the order of Entry's fields."""
AFTER = f"""
    SELECT {COLUMNS} FROM entries WHERE conversation = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
BEFORE = f"""
    SELECT {COLUMNS} FROM entries WHERE conversation = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3
"""
HEADS = "SELECT conversation, epoch, seq FROM heads WHERE conversation = ANY($1::uuid[])"


class PostgresLog:
    """See MessageLog. Shares its database with a PostgresDirectory; closing either closes both."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        size = weigh(drafts)
        for draft in drafts:
            _check_text(draft.author)
            _check_text(draft.kind)
        return await self._database.writer.append(tuple(drafts), size)

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        check_integer("after", after)
        check_limit(limit)
        return await self._entries(AFTER, conversation, after, limit)

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        check_integer("before", before or 0)
        check_limit(limit)
        end = MAX_INTEGER if before is None else before
        return (await self._entries(BEFORE, conversation, end, limit))[::-1]

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        check_ids(conversations)
        rows = await self._database.pool.run(
            lambda connection: connection.fetch(HEADS, list(conversations))
        )
        return {UUID(int=id.int): Head(epoch, seq) for id, epoch, seq in rows}

    async def close(self) -> None:
        """See MessageLog."""
        await self._database.close()

    async def _entries(self, statement: str, *values: object) -> list[Entry]:
        rows = await self._database.pool.run(
            lambda connection: connection.fetch(statement, *values)
        )
        return [entry(*row) for row in rows]


def entry(conversation: UUID, epoch: int, seq: int, author: str, id: UUID, *rest: object) -> Entry:
    """The entry that a row holds, in the order of COLUMNS, without the driver's kind of UUID."""
    return Entry(UUID(int=conversation.int), epoch, seq, author, UUID(int=id.int), *rest)  # type: ignore[arg-type]


def _check_text(text: str) -> None:
    """What PostgreSQL would refuse must not be met in a group with others' drafts."""
    if "\0" in text:
        raise ValueError("an author or kind with a NUL in it cannot be stored")
    text.encode()
