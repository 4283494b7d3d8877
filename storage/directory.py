"""The Directory in SQL, as far as SQLite and PostgreSQL speak the same.

May import: base, limits, records.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from storage.base import Agent, Conversation, Shop, Visitor
from storage.limits import check_integer, check_limit, check_record
from storage.records import Plain, Table

R = TypeVar("R", bound=Struct)

SHOPS = Table(Shop, "shops")
AGENTS = Table(Agent, "agents")
VISITORS = Table(Visitor, "visitors")
CONVERSATIONS = Table(Conversation, "conversations")

PUT_SHOP = SHOPS.upsert()
PUT_AGENT = AGENTS.upsert("email_key")
PUT_VISITOR = VISITORS.upsert()
CREATE_CONVERSATION = CONVERSATIONS.insert()
FOLD_CONVERSATION = """
    UPDATE conversations SET status = ?, assignee = ?, seq = ?, summary = ?, updated_at = ?
    WHERE id = ? AND seq <= ?
"""


class SQLDirectory(ABC):
    """See Directory. A database gives it rows, and changes them."""

    @abstractmethod
    async def _rows(self, statement: str, values: Sequence[Plain]) -> Sequence[Sequence[Plain]]:
        """What a statement that only reads returns."""

    @abstractmethod
    async def _change(self, statement: str, values: Sequence[Plain]) -> int:
        """Run one writing statement durably; the records it changed. Raises NotUnique, Missing."""

    @abstractmethod
    async def close(self) -> None:
        """See Directory."""

    async def get_shop(self, id: str) -> Shop | None:
        """See Directory."""
        return await self._one(SHOPS, "WHERE id = ?", id)

    async def list_shops(self) -> list[Shop]:
        """See Directory."""
        return await self._all(SHOPS, "ORDER BY id")

    async def put_shop(self, shop: Shop) -> None:
        """See Directory."""
        check_record(shop)
        await self._change(PUT_SHOP, SHOPS.values(shop))

    async def get_agent(self, id: UUID) -> Agent | None:
        """See Directory."""
        return await self._one(AGENTS, "WHERE id = ?", id)

    async def find_agent(self, email: str) -> Agent | None:
        """See Directory."""
        return await self._one(AGENTS, "WHERE email_key = ?", email.casefold())

    async def list_agents(self, shop: str) -> list[Agent]:
        """See Directory."""
        return await self._all(AGENTS, "WHERE shop = ? ORDER BY name, id", shop)

    async def put_agent(self, agent: Agent) -> None:
        """See Directory. Databases fold case each in its way, so the folded address is a column."""
        check_record(agent)
        await self._change(PUT_AGENT, (*AGENTS.values(agent), agent.email.casefold()))

    async def get_visitor(self, id: UUID) -> Visitor | None:
        """See Directory."""
        return await self._one(VISITORS, "WHERE id = ?", id)

    @abstractmethod
    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""

    async def find_visitor(self, shop: str, external_id: str) -> Visitor | None:
        """See Directory."""
        return await self._one(VISITORS, "WHERE shop = ? AND external_id = ?", shop, external_id)

    @abstractmethod
    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory. The words that a visitor is found by go with it."""

    async def get_conversation(self, id: UUID) -> Conversation | None:
        """See Directory."""
        return await self._one(CONVERSATIONS, "WHERE id = ?", id)

    async def create_conversation(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """See Directory."""
        check_record(conversation)
        if await self._change(CREATE_CONVERSATION, CONVERSATIONS.values(conversation)):
            return conversation, True
        stored = await self.get_conversation(conversation.id)
        assert stored is not None, "conversations are never removed"
        return stored, False

    async def fold_conversation(self, conversation: Conversation) -> None:
        """See Directory."""
        check_record(conversation)
        values = (
            conversation.status,
            conversation.assignee,
            conversation.seq,
            conversation.summary,
            conversation.updated_at,
            conversation.id,
            conversation.seq,
        )
        await self._change(FOLD_CONVERSATION, values)

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
        wanted: list[tuple[str, tuple[Plain, ...]]] = [("shop = ?", (shop,))]
        if status is not None:
            wanted.append(("status = ?", (status,)))
        if assignee is not None:
            wanted.append(("assignee = ?", (assignee,)))
        if visitor is not None:
            wanted.append(("visitor = ?", (visitor,)))
        if before is not None:
            check_integer("before", before[0])
            wanted.append(("(updated_at, id) < (?, ?)", (before[0], before[1])))
        where = " AND ".join(condition for condition, _ in wanted)
        values = (value for _, values in wanted for value in values)
        rest = f"WHERE {where} ORDER BY updated_at DESC, id DESC LIMIT ?"
        return await self._all(CONVERSATIONS, rest, *values, limit)

    async def _one(self, table: Table[R], rest: str, *values: Plain) -> R | None:
        rows = await self._all(table, rest, *values)
        return rows[0] if rows else None

    async def _all(self, table: Table[R], rest: str, *values: Plain) -> list[R]:
        rows = await self._rows(f"{table.select} {rest}", values)
        return [table.record(row) for row in rows]
