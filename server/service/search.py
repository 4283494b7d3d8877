"""Search for agents: messages of their shop by their words, and visitors by what they are called.

What holds always: nothing of another shop is found; an excerpt is cut from what the message says
now; an answer fits into one frame and says so when it is not all.
May import: domain, service; storage; the wire's packing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Raw

from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service.desk import Desk
from server.service.guard import guarded
from server.service.view import MAX_ANSWER
from storage import words
from storage.base import Directory, Hit, Search, StoreUnavailable, Visitor
from transport.wire.codec import pack

MAX_PAGE = 50
"""Hits in one answer."""
MAX_VISITORS = 5
"""Visitors in the first answer."""
EXCERPT = 160
"""Characters of a message that are shown around what matched first."""
BEFORE = 40
"""Of them, those before it, when there are as many."""


class Page(NamedTuple):
    """What was found, before it is packed."""

    hits: Sequence[Hit]
    visitors: Sequence[tuple[Visitor, UUID]]
    """Each with the newest of their conversations."""


class Finder:
    """Answers the call `search`. `search` is None where the store has no index."""

    def __init__(self, search: Search | None, directory: Directory, desk: Desk) -> None:
        self._search = search
        self._directory = directory
        self._desk = desk

    async def find(
        self, caller: Caller, query: str, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """The value of the call. Raises Refusal."""
        if caller.role is not Role.AGENT:
            raise Refusal(Code.FORBIDDEN, "the search is for agents")
        before, limit = _place(cursor), max(1, min(limit, MAX_PAGE))
        with guarded():
            page = await self._look(caller.shop, query, before, limit)
            ids = dict.fromkeys([hit.conversation for hit in page.hits[:limit]])
            ids |= dict.fromkeys(conversation for _, conversation in page.visitors)
            summaries = await self._desk.summaries(caller, ids)
        return _packed(words.query(query), page, limit, summaries)

    async def _look(self, shop: str, query: str, before: int | None, limit: int) -> Page:
        if self._search is None:
            raise StoreUnavailable("this store has no index")
        hits = self._search.messages(shop, query, before=before, limit=limit + 1)
        if before is not None:
            return Page(await hits, ())
        visitors = self._search.visitors(shop, query, limit=MAX_VISITORS)
        found, people = await asyncio.gather(hits, visitors)
        newest = await asyncio.gather(*(self._newest(shop, visitor.id) for visitor in people))
        pairs = zip(people, newest, strict=True)
        return Page(found, [(visitor, id) for visitor, id in pairs if id is not None])

    async def _newest(self, shop: str, visitor: UUID) -> UUID | None:
        """The conversation of a visitor to open; None when they have never said a word."""
        found = await self._directory.list_conversations(shop, visitor=visitor, limit=1)
        return found[0].id if found else None


def excerpt(asked: words.Query, text: str) -> list[str]:
    """The text around the first match, in pieces: every second one is what matched."""
    marked = words.spans(asked, text)
    start = max(0, marked[0][0] - BEFORE) if marked and len(text) > EXCERPT else 0
    if start and (space := text.find(" ", start, marked[0][0])) >= 0:
        start = space + 1  # not in the middle of a word, where words have ends
    end = min(len(text), start + EXCERPT)
    pieces, at = [], start
    for begin, stop in marked:
        if begin >= end:
            break
        pieces += [text[at:begin], text[begin : min(stop, end)]]
        at = min(stop, end)
    pieces.append(text[at:end])
    pieces[0] = ("…" if start else "") + pieces[0]
    pieces[-1] += "…" if end < len(text) else ""
    return pieces


def _packed(
    asked: words.Query, page: Page, limit: int, summaries: dict[UUID, Raw]
) -> dict[str, Any]:
    """As much of the page as fits into a frame, each summary once."""
    budget, needed = MAX_ANSWER, dict[UUID, Raw]()
    visitors, hits, last = [], [], None

    def fits(item: Raw, conversation: UUID) -> bool:
        nonlocal budget
        summary = summaries[conversation]
        cost = len(bytes(item)) + (0 if conversation in needed else len(bytes(summary)))
        if cost > budget:
            return False
        budget -= cost
        needed[conversation] = summary
        return True

    for visitor, conversation in page.visitors:
        packed = pack(_visitor(asked, visitor, conversation))
        if conversation in summaries and fits(packed, conversation):
            visitors.append(packed)
    for hit in page.hits[:limit]:
        packed = pack(_hit(asked, hit))
        if hit.conversation in summaries:
            if not fits(packed, hit.conversation):
                break
            hits.append(packed)
        last = hit
    more = last is not None and last is not page.hits[-1]
    return {
        "hits": hits,
        "visitors": visitors,
        "conversations": list(needed.values()),
        "cursor": str(last.place) if last is not None and more else None,
    }


def _hit(asked: words.Query, hit: Hit) -> dict[str, Any]:
    return {
        "conversation": hit.conversation,
        "seq": hit.seq,
        "author": hit.author,
        "kind": hit.kind,
        "at": hit.at,
        "excerpt": excerpt(asked, hit.text),
    }


def _visitor(asked: words.Query, visitor: Visitor, conversation: UUID) -> dict[str, Any]:
    return {
        "conversation": conversation,
        "name": excerpt(asked, visitor.name or ""),
        "email": excerpt(asked, visitor.email or ""),
    }


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 19:
        raise Refusal(Code.INVALID, "the cursor is none of ours; start without one")
    return min(int(cursor), 2**63 - 1)
