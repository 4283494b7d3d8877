"""MessageLog and Directory in memory, for tests and for trying things out.

They keep the same promises as the stores on disk, save that a restart forgets everything, and
pass the same conformance suites. The log goes through the same group commit, so callers meet the
same waiting, order of resumption and bounds.

May import: base, entries, limits, commit, memory_search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

import msgspec

from storage.base import (
    Agent,
    Appended,
    Conflict,
    Conversation,
    Draft,
    Entry,
    Head,
    Missing,
    NotUnique,
    Shop,
    StoreUnavailable,
    Visitor,
)
from storage.commit import Bounds, GroupCommit
from storage.entries import FIRST_EPOCH, answer_resend, place
from storage.limits import check_ids, check_integer, check_limit, check_record, weigh
from storage.memory_search import MemoryIndex

T = TypeVar("T")


class _Instant:
    """Transactions over memory: the work of a MemoryLog cannot fail halfway."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class MemoryLog:
    """One list of entries per conversation, and an index of the client ids."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._commit = GroupCommit(_Instant(), bounds)
        self._entries: dict[UUID, list[Entry]] = {}
        self._known: dict[tuple[UUID, str, UUID], Entry] = {}
        self.index = MemoryIndex()
        self.stored: Callable[[Entry], None] | None = None  # told of each fresh entry
        self._closed = False

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        size = weigh(drafts)
        work = partial(self._append, tuple(drafts))
        return await self._commit.run(work, drafts=len(drafts), size=size)

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        check_integer("after", after)
        check_limit(limit)
        # Gapless from 1: the entry with this seq lies at index seq - 1.
        return self._of(conversation)[after : after + limit]

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        check_integer("before", before or 0)
        check_limit(limit)
        entries = self._of(conversation)
        end = len(entries) if before is None else min(max(before - 1, 0), len(entries))
        return entries[max(end - limit, 0) : end]

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        check_ids(conversations)
        found = ((id, self._of(id)) for id in conversations)
        return {id: Head(FIRST_EPOCH, len(entries)) for id, entries in found if entries}

    async def close(self) -> None:
        """See MessageLog."""
        self._closed = True
        await self._commit.close()

    async def perform(self, work: Callable[[], T]) -> T:
        """Run what changes the index in the writer thread."""
        return await self._commit.run(work)

    def conversations(self) -> Iterable[UUID]:
        """Those that have entries."""
        return self._entries.keys()

    def head(self, conversation: UUID) -> int:
        """The seq of the last entry, 0 without any."""
        return len(self._entries.get(conversation, ()))

    def check(self) -> None:
        """Raises StoreUnavailable once the log is closed."""
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _of(self, conversation: UUID) -> list[Entry]:
        self.check()
        return self._entries.get(conversation, [])

    def _append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        return [self._append_one(draft) for draft in drafts]

    def _append_one(self, draft: Draft) -> Appended | Conflict:
        key = (draft.conversation, draft.author, draft.client_id)
        known = self._known.get(key)
        if known is not None:
            return answer_resend(draft, known)
        entries = self._entries.setdefault(draft.conversation, [])
        entry = place(draft, FIRST_EPOCH, len(entries) + 1)
        self._known[key] = entry
        entries.append(entry)
        self.index.take(draft, entry)
        if self.stored is not None:
            self.stored(entry)
        return Appended(entry, fresh=True)


class MemoryDirectory:
    """A dictionary per kind of record. No method awaits, so each is atomic on its loop."""

    def __init__(self) -> None:
        self._shops: dict[str, Shop] = {}
        self._agents: dict[UUID, Agent] = {}
        self._visitors: dict[UUID, Visitor] = {}
        self._conversations: dict[UUID, Conversation] = {}
        self._closed = False

    async def get_shop(self, id: str) -> Shop | None:
        """See Directory."""
        self._check()
        return self._shops.get(id)

    async def list_shops(self) -> list[Shop]:
        """See Directory."""
        self._check()
        return sorted(self._shops.values(), key=lambda shop: shop.id)

    async def put_shop(self, shop: Shop) -> None:
        """See Directory."""
        self._check(shop)
        self._shops[shop.id] = shop

    async def get_agent(self, id: UUID) -> Agent | None:
        """See Directory."""
        self._check()
        return self._agents.get(id)

    async def find_agent(self, email: str) -> Agent | None:
        """See Directory."""
        self._check()
        key = email.casefold()
        return next((a for a in self._agents.values() if a.email.casefold() == key), None)

    async def list_agents(self, shop: str) -> list[Agent]:
        """See Directory."""
        self._check()
        found = (agent for agent in self._agents.values() if agent.shop == shop)
        return sorted(found, key=lambda agent: (agent.name, agent.id))

    async def put_agent(self, agent: Agent) -> None:
        """See Directory."""
        self._check(agent)
        other = await self.find_agent(agent.email)
        if other is not None and other.id != agent.id:
            raise NotUnique(f"another agent has the e-mail address {agent.email}")
        self._need_shop(agent.shop)
        self._agents[agent.id] = agent

    async def get_visitor(self, id: UUID) -> Visitor | None:
        """See Directory."""
        self._check()
        return self._visitors.get(id)

    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""
        self._check()
        check_ids(ids)
        return {id: self._visitors[id] for id in ids if id in self._visitors}

    async def find_visitor(self, shop: str, external_id: str) -> Visitor | None:
        """See Directory."""
        self._check()
        key = (shop, external_id)
        return next((v for v in self._visitors.values() if (v.shop, v.external_id) == key), None)

    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory."""
        self._check(visitor)
        if visitor.external_id is not None:
            other = await self.find_visitor(visitor.shop, visitor.external_id)
            if other is not None and other.id != visitor.id:
                raise NotUnique(f"another visitor has the external id {visitor.external_id}")
        self._need_shop(visitor.shop)
        self._visitors[visitor.id] = visitor

    async def list_visitors(self, shop: str) -> list[Visitor]:
        """All of a shop, for MemorySearch."""
        self._check()
        return [visitor for visitor in self._visitors.values() if visitor.shop == shop]

    async def get_conversation(self, id: UUID) -> Conversation | None:
        """See Directory."""
        self._check()
        return self._conversations.get(id)

    async def create_conversation(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """See Directory."""
        self._check(conversation)
        stored = self._conversations.get(conversation.id)
        if stored is not None:
            return stored, False
        self._need_shop(conversation.shop)
        if conversation.visitor not in self._visitors:
            raise Missing(f"there is no visitor {conversation.visitor}")
        self._conversations[conversation.id] = conversation
        return conversation, True

    async def fold_conversation(self, conversation: Conversation) -> None:
        """See Directory."""
        self._check(conversation)
        stored = self._conversations.get(conversation.id)
        if stored is not None and conversation.seq >= stored.seq:
            self._conversations[conversation.id] = msgspec.structs.replace(
                stored,
                status=conversation.status,
                assignee=conversation.assignee,
                seq=conversation.seq,
                summary=conversation.summary,
                updated_at=conversation.updated_at,
            )

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
        self._check()
        check_limit(limit)
        found = [
            c
            for c in self._conversations.values()
            if c.shop == shop
            and status in (None, c.status)
            and assignee in (None, c.assignee)
            and visitor in (None, c.visitor)
            and (before is None or (c.updated_at, c.id) < before)
        ]
        found.sort(key=lambda c: (c.updated_at, c.id), reverse=True)
        return found[:limit]

    async def close(self) -> None:
        """See Directory."""
        self._closed = True

    def _check(self, record: msgspec.Struct | None = None) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if record is not None:
            check_record(record)

    def _need_shop(self, shop: str) -> None:
        if shop not in self._shops:
            raise Missing(f"there is no shop {shop!r}")
