"""Sending: decide, append, commit, publish. In that order, always.

What holds always:
- what is returned as accepted is on disk; what is published was committed before;
- between the commit and the publish nothing is awaited, so entries of a conversation are published
  in the order of their `seq`;
- a commit that has begun is finished and published even if who asked for it goes away;
- the conversation of a visitor's first message is created by it; nothing else creates one;
- at most MAX_COMMITS appends are under way; over it sends are refused as `busy`.

What changes more than one log goes by a detour (coordinator/assignment.py), which appends in the
end as everything else does.

May import: bus, domain, storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
import structlog

from server.bus.base import Appended
from server.domain import entries, people
from server.domain.entries import Body
from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service.conversations import Conversations, Known
from server.service.guard import guarded, refusal
from server.service.searchable import findable
from storage.base import (
    Conflict,
    Conversation,
    Directory,
    Draft,
    Entry,
    MessageLog,
    StorageError,
)

MAX_COMMITS = 10_000
"""Appends under way at once; the store's own bound is usually lower."""

log = structlog.get_logger(__name__)

Detour = Callable[[Known, Draft, Body], Awaitable[Entry | None]]
"""Appends what may not simply be appended; None for what may. Raises Refusal."""


class Chat:
    """Takes what people send into the logs. Used as a context: leaving waits for open commits."""

    def __init__(
        self,
        messages: MessageLog,
        directory: Directory,
        conversations: Conversations,
        publish: Callable[[str, Appended], None],
        *,
        now: Callable[[], int],
        observe: Callable[[float], None],
    ) -> None:
        self._log = messages
        self._directory = directory
        self._conversations = conversations
        self._publish = publish
        self._now = now
        self._observe = observe
        self._commits = asyncio.TaskGroup()
        self._under_way = 0
        self.detour: Detour | None = None

    async def __aenter__(self) -> Self:
        await self._commits.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._commits.__aexit__(None, None, None)

    async def send(
        self, caller: Caller, client_id: UUID, conversation: UUID, kind: str, raw: msgspec.Raw
    ) -> Entry:
        """Append what a client sent; returns the entry on disk. Raises Refusal."""
        body = entries.parse(kind, raw)
        if not entries.KINDS[kind].sendable:
            raise Refusal(Code.INVALID, f"{kind} has a frame of its own")
        entries.allow(caller.role, kind, body)
        with guarded():
            known = await self._place(caller, conversation, kind)
            await self._check(caller, known, body)
        draft = self._draft(caller, client_id, conversation, kind, body)
        if self.detour is not None and isinstance(body, entries.Assignment | entries.Status):
            entry = await self._by_detour(known, draft, body)
            if entry is not None:
                return entry
        return await self._append(known, draft)

    async def append(self, draft: Draft) -> Entry:
        """Append what was decided elsewhere. Raises Refusal."""
        with guarded():
            known = await self._conversations.get(draft.conversation)
        if known is None:
            raise Refusal(Code.NOT_FOUND, "there is no such conversation")
        return await self._append(known, draft)

    async def read(self, caller: Caller, conversation: UUID, seq: int) -> Entry | None:
        """Append a read mark, unless it covers no message of others; then there is no entry."""
        with guarded():
            known = await self.owned(caller, conversation)
            [known] = await self._conversations.catch_up([known.record])
        seq = min(seq, known.fold.seq)
        if not known.fold.unread(caller.who, upto=seq):
            return None
        # The id follows from the position, so that the same mark is stored once.
        id = uuid5(NAMESPACE_OID, f"read:{seq}")
        draft = self._draft(caller, id, conversation, "read", entries.Read(seq))
        return await self._append(known, draft)

    async def owned(self, caller: Caller, conversation: UUID) -> Known:
        """The conversation, if it exists and this person may see it. Raises Refusal."""
        known = await self._conversations.get(conversation)
        if known is None:
            raise Refusal(Code.NOT_FOUND, "there is no such conversation")
        _permit(caller, known.record)
        return known

    async def _place(self, caller: Caller, id: UUID, kind: str) -> Known:
        if not self._conversations.has_room:
            raise Refusal(Code.BUSY, "the server is busy, try again in a moment")
        creates = caller.role is Role.VISITOR and kind == "message"
        if not creates or await self._conversations.get(id) is not None:
            return await self.owned(caller, id)
        now = self._now()
        known = await self._conversations.create(
            Conversation(id, caller.shop, caller.id, created_at=now, updated_at=now)
        )
        _permit(caller, known.record)
        return known

    async def _check(self, caller: Caller, known: Known, body: Body) -> None:
        """Check what the body refers to, by facts that never change (a resend must pass again)."""
        if isinstance(body, entries.Edit | entries.Deletion):
            await self._check_target(caller, known.record.id, body)
        elif isinstance(body, entries.Assignment) and body.agent is not None:
            person = people.parse(body.agent)
            agent = person and await self._directory.get_agent(person[1])
            if not agent or agent.shop != caller.shop:
                raise Refusal(Code.NOT_FOUND, "there is no such agent in this shop")

    async def _check_target(
        self, caller: Caller, id: UUID, body: entries.Edit | entries.Deletion
    ) -> None:
        found = await self._log.read(id, after=body.seq - 1, limit=1)
        if not found or found[0].seq != body.seq or found[0].kind != "message":
            raise Refusal(Code.NOT_FOUND, f"there is no message at {body.seq}")
        erases = isinstance(body, entries.Deletion) and caller.role is Role.AGENT
        if found[0].author != caller.who and not erases:
            raise Refusal(Code.FORBIDDEN, "this message is not yours to change")

    def _draft(self, caller: Caller, id: UUID, conversation: UUID, kind: str, body: Body) -> Draft:
        encoded, found = entries.encode(body), findable(caller.shop, body)
        return Draft(conversation, caller.who, id, kind, encoded, self._now(), found)

    async def _append(self, known: Known, draft: Draft) -> Entry:
        if self._under_way >= MAX_COMMITS:
            raise Refusal(Code.BUSY, "the server is busy, try again in a moment")
        self._under_way += 1
        outcome = await asyncio.shield(self._commits.create_task(self._commit(known, draft)))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def _by_detour(self, known: Known, draft: Draft, body: Body) -> Entry | None:
        """Finished even if who asked for it goes away, like an append."""
        outcome = await asyncio.shield(
            self._commits.create_task(self._go_round(known, draft, body))
        )
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def _go_round(self, known: Known, draft: Draft, body: Body) -> Entry | Refusal | None:
        """Runs apart from who asked, and answers instead of raising."""
        assert self.detour is not None
        try:
            return await self.detour(known, draft, body)
        except Refusal as refusal:
            return refusal
        except Exception:
            log.exception("a detour failed in an unforeseen way")
            return Refusal(Code.UNAVAILABLE, "the server could not do this, try again")

    async def _commit(self, known: Known, draft: Draft) -> Entry | Refusal:
        """Append and publish. Runs apart from who asked, and answers instead of raising."""
        started = asyncio.get_running_loop().time()
        try:
            [result] = await self._log.append([draft])
        except StorageError as error:
            return refusal(error)
        except Exception:
            log.exception("an append failed in an unforeseen way")
            return Refusal(Code.UNAVAILABLE, "the server could not store this, try again")
        finally:
            self._under_way -= 1
        self._observe(asyncio.get_running_loop().time() - started)
        if isinstance(result, Conflict):
            return Refusal(Code.CONFLICT, "this id was used before for something else")
        if result.fresh:
            self._conversations.committed(known, result.entry)
            self._publish(known.record.shop, Appended(known.record.visitor, result.entry))
        return result.entry


def _permit(caller: Caller, record: Conversation) -> None:
    mine = caller.role is Role.AGENT or record.visitor == caller.id
    if record.shop != caller.shop or not mine:
        raise Refusal(Code.FORBIDDEN, "this conversation is not yours")
