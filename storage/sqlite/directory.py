"""SQLiteDirectory: the Directory on a SQLite file, beside the log and through the same writer.

May import: base, limits, commit, file, records, search.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from storage.base import Agent, Conversation, Missing, NotUnique, Shop, Visitor
from storage.limits import check_ids, check_integer, check_limit, check_record
from storage.sqlite import search
from storage.sqlite.file import SQLiteFile, Writer
from storage.sqlite.records import Table, Value

R = TypeVar("R", bound=Struct)

SHOPS = Table(Shop, "shops")
AGENTS = Table(Agent, "agents")
VISITORS = Table(Visitor, "visitors")
CONVERSATIONS = Table(Conversation, "conversations")

PUT_SHOP = SHOPS.upsert()
PUT_AGENT = AGENTS.upsert("email_key")
PUT_VISITOR = VISITORS.upsert()
CREATE_CONVERSATION = (
    f"INSERT INTO conversations ({CONVERSATIONS.columns}) "
    f"VALUES ({', '.join('?' * len(CONVERSATIONS.fields))}) ON CONFLICT (id) DO NOTHING"
)
FOLD_CONVERSATION = """
    UPDATE conversations SET status = ?, assignee = ?, seq = ?, summary = ?, updated_at = ?
    WHERE id = ? AND seq <= ?
"""


class SQLiteDirectory:
    """See Directory. Shares its file with a SQLiteLog; closing either closes the file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    async def get_shop(self, id: str) -> Shop | None:
        """See Directory."""
        return await self._one(SHOPS, "WHERE id = ?", id)

    async def list_shops(self) -> list[Shop]:
        """See Directory."""
        return await self._all(SHOPS, "ORDER BY id")

    async def put_shop(self, shop: Shop) -> None:
        """See Directory."""
        check_record(shop)
        await self._write(PUT_SHOP, SHOPS.row(shop))

    async def get_agent(self, id: UUID) -> Agent | None:
        """See Directory."""
        return await self._one(AGENTS, "WHERE id = ?", id.bytes)

    async def find_agent(self, email: str) -> Agent | None:
        """See Directory."""
        return await self._one(AGENTS, "WHERE email_key = ?", email.casefold())

    async def list_agents(self, shop: str) -> list[Agent]:
        """See Directory."""
        return await self._all(AGENTS, "WHERE shop = ? ORDER BY name, id", shop)

    async def put_agent(self, agent: Agent) -> None:
        """See Directory. SQLite folds the case of ASCII only, so the folded address is a column."""
        check_record(agent)
        await self._write(PUT_AGENT, (*AGENTS.row(agent), agent.email.casefold()))

    async def get_visitor(self, id: UUID) -> Visitor | None:
        """See Directory."""
        return await self._one(VISITORS, "WHERE id = ?", id.bytes)

    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""
        check_ids(ids)
        return await self._file.read(partial(_visitors, tuple(ids)))

    async def find_visitor(self, shop: str, external_id: str) -> Visitor | None:
        """See Directory."""
        return await self._one(VISITORS, "WHERE shop = ? AND external_id = ?", shop, external_id)

    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory."""
        check_record(visitor)
        await self._file.write(partial(_put_visitor, visitor), size=len(visitor.profile))

    async def get_conversation(self, id: UUID) -> Conversation | None:
        """See Directory."""
        return await self._one(CONVERSATIONS, "WHERE id = ?", id.bytes)

    async def create_conversation(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """See Directory."""
        check_record(conversation)
        return await self._file.write(
            partial(_create, conversation), size=len(conversation.summary)
        )

    async def fold_conversation(self, conversation: Conversation) -> None:
        """See Directory."""
        check_record(conversation)
        values = (
            conversation.status,
            conversation.assignee.bytes if conversation.assignee else None,
            conversation.seq,
            conversation.summary,
            conversation.updated_at,
            conversation.id.bytes,
            conversation.seq,
        )
        await self._write(FOLD_CONVERSATION, values)

    async def list_conversations(
        self,
        shop: str,
        *,
        status: str | None = None,
        assignee: UUID | None = None,
        visitor: UUID | None = None,
        before: tuple[int, UUID] | None = None,
        limit: int = 50,
    ) -> list[Conversation]:
        """See Directory."""
        check_limit(limit)
        wanted: list[tuple[str, tuple[Value, ...]]] = [("shop = ?", (shop,))]
        if status is not None:
            wanted.append(("status = ?", (status,)))
        if assignee is not None:
            wanted.append(("assignee = ?", (assignee.bytes,)))
        if visitor is not None:
            wanted.append(("visitor = ?", (visitor.bytes,)))
        if before is not None:
            check_integer("before", before[0])
            wanted.append(("(updated_at, id) < (?, ?)", (before[0], before[1].bytes)))
        where = " AND ".join(condition for condition, _ in wanted)
        values = (value for _, values in wanted for value in values)
        rest = f"WHERE {where} ORDER BY updated_at DESC, id DESC LIMIT ?"
        return await self._all(CONVERSATIONS, rest, *values, limit)

    async def close(self) -> None:
        """See Directory."""
        await self._file.close()

    async def _one(self, table: Table[R], rest: str, *values: Value) -> R | None:
        rows = await self._all(table, rest, *values)
        return rows[0] if rows else None

    async def _all(self, table: Table[R], rest: str, *values: Value) -> list[R]:
        def read(connection: sqlite3.Connection) -> list[R]:
            return [
                table.record(row) for row in connection.execute(f"{table.select} {rest}", values)
            ]

        return await self._file.read(read)

    async def _write(self, statement: str, values: tuple[Value, ...]) -> None:
        size = sum(len(value) for value in values if isinstance(value, str))
        await self._file.write(lambda writer: _execute(writer, statement, values), size=size)


def _execute(writer: Writer, statement: str, values: tuple[Value, ...]) -> int:
    """Run one writing statement; the records it changed. A refused statement changes nothing."""
    try:
        return writer.connection.execute(statement, values).rowcount
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise NotUnique(f"another record has the same value: {error}") from error
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise Missing(
                "the shop or visitor that the record belongs to does not exist"
            ) from error
        raise


def _put_visitor(visitor: Visitor, writer: Writer) -> None:
    _execute(writer, PUT_VISITOR, VISITORS.row(visitor))
    search.call(writer.connection, visitor)


def _create(conversation: Conversation, writer: Writer) -> tuple[Conversation, bool]:
    created = _execute(writer, CREATE_CONVERSATION, CONVERSATIONS.row(conversation))
    if created:
        return conversation, True
    row = writer.connection.execute(
        f"{CONVERSATIONS.select} WHERE id = ?", (conversation.id.bytes,)
    ).fetchone()
    return CONVERSATIONS.record(row), False


def _visitors(ids: Sequence[UUID], connection: sqlite3.Connection) -> dict[UUID, Visitor]:
    statement = f"{VISITORS.select} WHERE id = ?"
    rows = ((id, connection.execute(statement, (id.bytes,)).fetchone()) for id in ids)
    return {id: VISITORS.record(row) for id, row in rows if row}
