"""The desk: lists and summaries of conversations, and the state that a client starts from.

What holds always: a summary shows its reader nothing that is hidden from them; what is answered
fits into one frame, and says so when it is not all.
May import: domain, service; storage; the wire's packing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import Raw

from server.domain import people
from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service.chat import Chat
from server.service.conversations import Conversations, Known
from server.service.guard import guarded
from server.service.view import fit
from storage.base import Agent, Conversation, Directory, Shop, Visitor
from transport.wire.codec import pack

MAX_PAGE = 100
"""Summaries in one answer to `inbox`."""
MAX_OWN = 20
"""Conversations of a visitor in `welcome`."""
MAX_PEOPLE = 200
"""People online in `welcome`; the others show up with their next announcement."""
STATE_SHARE = 15_000
"""Bytes each list in `welcome` may have; four of them and the settings fit into a frame."""


class Board(Protocol):
    """Who is online."""

    def transport(self, shop: str, who: str) -> str | None:
        """Over which transport this person is online, if they are."""
        ...

    def online(self, shop: str) -> Iterator[tuple[str, str]]:
        """Everybody who is: (text id, transport)."""
        ...


class Desk:
    """Reads of the directory, for people."""

    def __init__(
        self, directory: Directory, conversations: Conversations, chat: Chat, board: Board
    ) -> None:
        self._directory = directory
        self._conversations = conversations
        self._chat = chat
        self._board = board

    async def inbox(
        self, caller: Caller, status: str | None, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """The value of the call `inbox`. Raises Refusal."""
        if caller.role is not Role.AGENT:
            raise Refusal(Code.FORBIDDEN, "the inbox is for agents")
        with guarded():
            # What is filtered and sorted by must be what was accepted so far.
            await self._conversations.flush()
            found = await self._directory.list_conversations(
                caller.shop,
                status=status,
                before=_place(cursor),
                limit=(limit := max(1, min(limit, MAX_PAGE))) + 1,
            )
            taken = fit(await self._summaries(caller, found[:limit]))
        last = found[len(taken) - 1] if len(taken) < len(found) else None
        return {
            "conversations": taken,
            "cursor": None if last is None else f"{last.updated_at}.{last.id}",
        }

    async def summary(self, caller: Caller, conversation: UUID) -> Raw:
        """The value of the call `summary`. Raises Refusal."""
        with guarded():
            known = await self._chat.owned(caller, conversation)
            [summary] = await self._summaries(caller, [known.record])
        return summary

    async def summaries(self, caller: Caller, ids: Iterable[UUID]) -> dict[UUID, Raw]:
        """Summaries of those that are conversations of the agent's shop. Raises StorageError."""
        found = await asyncio.gather(*map(self._directory.get_conversation, ids))
        records = [one for one in found if one is not None and one.shop == caller.shop]
        summaries = await self._summaries(caller, records)
        return {record.id: one for record, one in zip(records, summaries, strict=True)}

    async def state(self, caller: Caller) -> Raw:
        """What `welcome` carries. Raises Refusal."""
        with guarded():
            shop = await self._directory.get_shop(caller.shop)
            if shop is None:
                raise Refusal(Code.NOT_FOUND, "the shop does not exist")
            agents = await self._directory.list_agents(caller.shop)
            if caller.role is Role.AGENT:
                rest = self._people(caller.shop)
            else:
                rest = await self._own(caller)
        describe = agent_map if caller.role is Role.AGENT else _colleague
        active = [pack(describe(agent)) for agent in agents if agent.active]
        return pack({"shop": shop_map(shop), "agents": fit(active, STATE_SHARE), **rest})

    async def _own(self, caller: Caller) -> dict[str, Any]:
        found = await self._directory.list_conversations(
            caller.shop, visitor=caller.id, limit=MAX_OWN
        )
        return {"conversations": fit(await self._summaries(caller, found), 2 * STATE_SHARE)}

    def _people(self, shop: str) -> dict[str, Any]:
        online = [
            pack({"who": who, "state": "online", "detail": {"transport": transport}})
            for who, transport in islice(self._board.online(shop), MAX_PEOPLE)
        ]
        return {"people": fit(online, 2 * STATE_SHARE)}

    async def _summaries(self, caller: Caller, records: Iterable[Conversation]) -> list[Raw]:
        known = await self._conversations.catch_up(list(records))
        visitors = await self._directory.get_visitors([one.record.visitor for one in known])
        return [
            pack(_summary(caller, one, visitors.get(one.record.visitor), self._board))
            for one in known
        ]


def shop_map(shop: Shop) -> dict[str, Any]:
    """A shop as clients see it."""
    return {"id": shop.id, "name": shop.name, "settings": _map(shop.settings)}


def agent_map(agent: Agent) -> dict[str, Any]:
    """An agent as colleagues see them."""
    return {**_colleague(agent), "email": agent.email, "role": agent.role}


def _colleague(agent: Agent) -> dict[str, Any]:
    return {"id": people.who(Role.AGENT, agent.id), "name": agent.name}


def _summary(caller: Caller, known: Known, visitor: Visitor | None, board: Board) -> dict[str, Any]:
    record, fold = known.record, known.fold
    last = fold.last(caller.role)
    who = people.who(Role.VISITOR, record.visitor)
    transport = board.transport(caller.shop, who)
    return {
        "id": record.id,
        "visitor": {
            "id": who,
            "name": visitor and visitor.name,
            "email": visitor and visitor.email,
            "language": visitor and visitor.language,
            "page": visitor and _map(visitor.profile).get("page"),
        },
        "status": fold.status,
        "assignee": fold.assignee,
        "epoch": fold.epoch,
        "head": fold.seq,
        "last": last
        and {
            "seq": last.seq,
            "author": last.author,
            "kind": last.kind,
            "text": last.text,
            "at": last.at,
        },
        "unread": fold.unread(caller.who),
        "reads": fold.reads,
        "rating": fold.rating,
        "presence": {
            "state": "offline" if transport is None else "online",
            "transport": transport,
        },
        "created_at": record.created_at,
        "updated_at": fold.updated_at or record.created_at,
    }


def _place(cursor: str | None) -> tuple[int, UUID] | None:
    if cursor is None:
        return None
    at, _, id = cursor.partition(".")
    try:
        return int(at), UUID(id)
    except ValueError:
        raise Refusal(Code.INVALID, "the cursor is none of ours; start without one") from None


def _map(text: str) -> dict[str, Any]:
    """JSON text of a record as a map; anything else is an empty one."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
