"""The calls: method to handler, as a table (docs/protocol.md, section 8).

May import: domain, service; the frames of transport.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from server.domain.people import Caller
from server.domain.refusal import Code, Refusal
from server.service.desk import Desk
from server.service.history import History
from server.service.search import Finder
from transport.wire.codec import pack

Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class HistoryParams(Struct, frozen=True):
    conversation: UUID
    before: Seq | None = None
    after: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] = 50


class InboxParams(Struct, frozen=True):
    status: Literal["open", "closed"] | None = None
    cursor: Annotated[str, Meta(max_length=100)] | None = None
    limit: Annotated[int, Meta(ge=1)] = 50


class SummaryParams(Struct, frozen=True):
    conversation: UUID


class SearchParams(Struct, frozen=True):
    query: Annotated[str, Meta(max_length=256)]
    cursor: Annotated[str, Meta(max_length=100)] | None = None
    limit: Annotated[int, Meta(ge=1)] = 20


class Method(NamedTuple):
    params: msgspec.msgpack.Decoder[Any]
    run: Callable[[Caller, Any], Awaitable[Raw]]


class Calls:
    """Answers calls."""

    def __init__(self, history: History, desk: Desk, finder: Finder) -> None:
        self._history = history
        self._desk = desk
        self._finder = finder
        self._methods = {
            "history": Method(msgspec.msgpack.Decoder(HistoryParams), self._page),
            "inbox": Method(msgspec.msgpack.Decoder(InboxParams), self._inbox),
            "summary": Method(msgspec.msgpack.Decoder(SummaryParams), self._summary),
            "search": Method(msgspec.msgpack.Decoder(SearchParams), self._search),
        }

    async def answer(self, caller: Caller, name: str, params: Raw) -> Raw:
        """The value of the result. Raises Refusal."""
        method = self._methods.get(name)
        if method is None:
            raise Refusal(Code.UNKNOWN_METHOD, f"there is no method called “{name[:32]}”")
        try:
            decoded = method.params.decode(params)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(Code.INVALID, f"the params do not fit {name}: {error}") from None
        return await method.run(caller, decoded)

    async def _page(self, caller: Caller, p: HistoryParams) -> Raw:
        return pack(await self._history.page(caller, p.conversation, p.before, p.after, p.limit))

    async def _inbox(self, caller: Caller, p: InboxParams) -> Raw:
        return pack(await self._desk.inbox(caller, p.status, p.cursor, p.limit))

    async def _summary(self, caller: Caller, p: SummaryParams) -> Raw:
        return await self._desk.summary(caller, p.conversation)

    async def _search(self, caller: Caller, p: SearchParams) -> Raw:
        return pack(await self._finder.find(caller, p.query, p.cursor, p.limit))
