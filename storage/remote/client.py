"""RemoteLog, RemoteDirectory, RemoteSearch: the seams, in a process that asks over a socket.

A call that finds no connection makes one, or raises StoreUnavailable at once when nobody listens.
A call that was under way when the connection broke is made again: every method of the seams may be
repeated, because appends are told apart by their client id and a `put_…` replaces the whole record.
Only when the store stays away for longer than PATIENCE it raises StoreUnavailable, and then, as for
a caller that was cancelled, nobody knows whether it was stored; a resend tells.

What holds always: answers come in the order in which the store gave them, so callers are resumed in
the order of `seq`; no task of this module runs but the callers' own.
Bounds: what is under way, in drafts and in bytes, by the same Bounds as a store of one's own; over
them StoreBusy is raised at once.
May import: base, commit's Bounds, journal, limits, framing, messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from storage.base import (
    Agent,
    Appended,
    Conflict,
    Conversation,
    Draft,
    Entry,
    Found,
    Head,
    Hit,
    Record,
    Shop,
    StoreBusy,
    StoreUnavailable,
    Visitor,
)
from storage.commit import Bounds
from storage.journal import weigh_record
from storage.limits import weigh
from storage.remote.framing import Splitter, frame
from storage.remote.messages import (
    METHODS,
    Call,
    Done,
    Method,
    decode_answer,
    encode,
    raised,
)

PATIENCE = 5.0
"""Seconds for which a call that was under way waits for the store to come back."""
RETRY = 0.05
"""Seconds between two attempts to reach it meanwhile."""


class _Lost(Exception):
    """The connection broke before the answer came."""


class _Wire(asyncio.Protocol):
    """One connection and the calls under way on it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter()
        self._waiting: dict[int, asyncio.Future[Raw]] = {}
        self._ids = count()

    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, method: str, arguments: Raw) -> Raw:
        """The value of a call. Raises what the store raised, or _Lost."""
        if not self.is_open():
            raise _Lost
        assert self._transport is not None
        id = next(self._ids)
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        self._transport.write(frame(encode(Call(id, method, arguments))))
        try:
            value: Raw = await answer
            return value
        finally:
            self._waiting.pop(id, None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's, as asked for

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._splitter.feed(data):
                self._answered(decode_answer(message))
        except (ValueError, msgspec.MsgspecError):
            self.close()  # Not our store: connection_lost tells the callers.

    def connection_lost(self, error: Exception | None) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(_Lost())

    def _answered(self, answer: Any) -> None:
        waiting = self._waiting.get(answer.id)
        if waiting is None or waiting.done():
            return  # Cancelled while it waited.
        if isinstance(answer, Done):
            waiting.set_result(answer.value)
        else:
            waiting.set_exception(raised(answer))


class Link:
    """The way to one store, for one event loop: what RemoteLog and RemoteDirectory share."""

    def __init__(
        self,
        path: Path,
        bounds: Bounds | None = None,
        patience: float = PATIENCE,
        table: Mapping[str, Method] = METHODS,
    ) -> None:
        self.path = path
        self._table = table
        self._bounds = bounds or Bounds()
        self._patience = patience
        self._wire = _Wire()
        self._connecting = asyncio.Lock()
        self._drafts = 0
        self._bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def call(self, name: str, *arguments: Any, drafts: int = 1, size: int = 0) -> Any:
        """Have the store do it. Raises as the seam says."""
        self._admit(drafts, size)
        self._drafts += drafts
        self._bytes += size
        self._idle.clear()
        try:
            value = await self._ask(name, _pack(arguments))
        finally:
            self._drafts -= drafts
            self._bytes -= size
            if not self._drafts:
                self._idle.set()
        return self._table[name].value.decode(value)

    async def close(self) -> None:
        """Wait for what is under way, then disconnect. May be called more than once."""
        self._closed = True
        await self._idle.wait()
        self._wire.close()

    def _admit(self, drafts: int, size: int) -> None:
        bounds = self._bounds
        if self._closed:
            raise StoreUnavailable("the store is closed")
        over = self._drafts + drafts > bounds.waiting_drafts
        if over or self._bytes + size > bounds.waiting_bytes:
            raise StoreBusy(bounds.retry_after)

    async def _ask(self, name: str, arguments: Raw) -> Raw:
        await self._connect()
        clock = asyncio.get_running_loop().time
        while True:
            try:
                return await self._wire.ask(name, arguments)
            except _Lost:
                await self._reconnect(clock() + self._patience)

    async def _reconnect(self, deadline: float) -> None:
        while True:
            await asyncio.sleep(RETRY)
            try:
                return await self._connect()
            except StoreUnavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise

    async def _connect(self) -> None:
        if self._wire.is_open():
            return
        async with self._connecting:
            if self._wire.is_open():
                return
            try:
                _, self._wire = await asyncio.get_running_loop().create_unix_connection(
                    _Wire, str(self.path)
                )
            except OSError as error:
                raise StoreUnavailable(f"no store answers at {self.path}: {error}") from error


class RemoteLog:
    """See MessageLog. Shares its link with a RemoteDirectory; closing either closes the link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        size = weigh(drafts)
        results: list[Appended | Conflict]
        # At least one, so that a call without drafts is waited for as well.
        results = await self._link.call("append", drafts, drafts=max(1, len(drafts)), size=size)
        return results

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        entries: list[Entry] = await self._link.call("read", conversation, after, limit)
        return entries

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        entries: list[Entry] = await self._link.call("read_before", conversation, before, limit)
        return entries

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        heads: dict[UUID, Head] = await self._link.call("heads", conversations)
        return heads

    async def close(self) -> None:
        """See MessageLog."""
        await self._link.close()


class RemoteDirectory:
    """See Directory."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get_shop(self, id: str) -> Shop | None:
        """See Directory."""
        shop: Shop | None = await self._link.call("get_shop", id)
        return shop

    async def list_shops(self) -> list[Shop]:
        """See Directory."""
        shops: list[Shop] = await self._link.call("list_shops")
        return shops

    async def put_shop(self, shop: Shop) -> None:
        """See Directory."""
        await self._link.call("put_shop", shop)

    async def get_agent(self, id: UUID) -> Agent | None:
        """See Directory."""
        agent: Agent | None = await self._link.call("get_agent", id)
        return agent

    async def find_agent(self, email: str) -> Agent | None:
        """See Directory."""
        agent: Agent | None = await self._link.call("find_agent", email)
        return agent

    async def list_agents(self, shop: str) -> list[Agent]:
        """See Directory."""
        agents: list[Agent] = await self._link.call("list_agents", shop)
        return agents

    async def put_agent(self, agent: Agent) -> None:
        """See Directory."""
        await self._link.call("put_agent", agent)

    async def get_visitor(self, id: UUID) -> Visitor | None:
        """See Directory."""
        visitor: Visitor | None = await self._link.call("get_visitor", id)
        return visitor

    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]:
        """See Directory."""
        visitors: dict[UUID, Visitor] = await self._link.call("get_visitors", ids)
        return visitors

    async def find_visitor(self, shop: str, external_id: str) -> Visitor | None:
        """See Directory."""
        visitor: Visitor | None = await self._link.call("find_visitor", shop, external_id)
        return visitor

    async def put_visitor(self, visitor: Visitor) -> None:
        """See Directory."""
        await self._link.call("put_visitor", visitor)

    async def get_conversation(self, id: UUID) -> Conversation | None:
        """See Directory."""
        conversation: Conversation | None = await self._link.call("get_conversation", id)
        return conversation

    async def create_conversation(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """See Directory. Repeated after a lost connection, it may say that another call created."""
        created: tuple[Conversation, bool]
        created = await self._link.call("create_conversation", conversation)
        return created

    async def fold_conversation(self, conversation: Conversation) -> None:
        """See Directory."""
        await self._link.call("fold_conversation", conversation)

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
        conversations: list[Conversation] = await self._link.call(
            "list_conversations", shop, status, assignee, visitor, before, limit
        )
        return conversations

    async def close(self) -> None:
        """See Directory."""
        await self._link.close()


class RemoteSearch:
    """See Search."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def messages(
        self, shop: str, query: str, *, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """See Search."""
        hits: list[Hit] = await self._link.call("messages", shop, query, before, limit)
        return hits

    async def visitors(self, shop: str, query: str, *, limit: int = 5) -> list[Visitor]:
        """See Search."""
        visitors: list[Visitor] = await self._link.call("visitors", shop, query, limit)
        return visitors

    async def unindexed(self, *, limit: int = 100) -> list[UUID]:
        """See Search."""
        conversations: list[UUID] = await self._link.call("unindexed", limit)
        return conversations

    async def count_unindexed(self) -> int:
        """See Search."""
        count: int = await self._link.call("count_unindexed")
        return count

    async def index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        """See Search."""
        done: bool = await self._link.call("index", conversation, shop, head, found)
        return done

    async def reset_index(self) -> int:
        """See Search."""
        count: int = await self._link.call("reset_index")
        return count

    async def close(self) -> None:
        """See Search."""
        await self._link.close()


class RemoteJournal:
    """See Journal."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def put(self, record: Record, *, expected: str | None) -> Record:
        """See Journal."""
        standing: Record
        standing = await self._link.call("put", record, expected, size=weigh_record(record))
        return standing

    async def find_record(self, id: UUID) -> Record | None:
        """See Journal."""
        record: Record | None = await self._link.call("find_record", id)
        return record

    async def unfinished(self, *, older_than: int, limit: int = 100) -> list[Record]:
        """See Journal."""
        records: list[Record] = await self._link.call("unfinished", older_than, limit)
        return records

    async def forget(self, *, older_than: int, limit: int = 1_000) -> int:
        """See Journal."""
        count: int = await self._link.call("forget", older_than, limit)
        return count

    async def next_epoch(self, name: str) -> int:
        """See Journal."""
        epoch: int = await self._link.call("next_epoch", name)
        return epoch

    async def close(self) -> None:
        """See Journal."""
        await self._link.close()


def _pack(arguments: tuple[Any, ...]) -> Raw:
    try:
        return Raw(encode(arguments))
    except OverflowError as error:
        raise ValueError(f"a number that no store keeps: {error}") from error
