"""The index in memory: a row of terms for each message, looked through one by one.

May import: base, finding, words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec.structs import replace

from storage import words
from storage.base import Draft, Entry, Found, Hit, Visitor
from storage.finding import called, first_place
from storage.limits import check_findable, check_integer, check_limit
from storage.words import Phrase, matches, terms

if TYPE_CHECKING:
    from storage.memory import MemoryDirectory, MemoryLog


class MemoryIndex:
    """What the messages of a MemoryLog are found by. Changed by its writer thread alone."""

    def __init__(self) -> None:
        self._messages: dict[tuple[UUID, int], tuple[str, Hit, list[str]]] = {}
        self._places: set[int] = set()
        self.unindexed: set[UUID] = set()

    def take(self, draft: Draft, entry: Entry) -> None:
        """Do what a stored draft says."""
        findable = draft.findable
        if findable is None:
            return
        if findable.seq is None:
            found = Found(entry.seq, entry.author, entry.kind, entry.at, findable.text)
            self.add(entry.conversation, findable.shop, found)
            return
        known = self._messages.pop((entry.conversation, findable.seq), None)
        if known is not None and findable.text:
            shop, hit, _ = known
            text = findable.text
            self._messages[hit.conversation, hit.seq] = shop, replace(hit, text=text), terms(text)

    def add(self, conversation: UUID, shop: str, found: Found) -> None:
        """Find one more message."""
        place = first_place(found.at)
        while place in self._places:
            place += 1
        self._places.add(place)
        hit = Hit(conversation, found.seq, found.author, found.kind, found.at, found.text, place)
        self._messages[conversation, found.seq] = shop, hit, terms(found.text)

    def forget(self, conversation: UUID) -> None:
        """Find nothing of a conversation."""
        for key in [key for key in self._messages if key[0] == conversation]:
            del self._messages[key]

    def find(self, shop: str, asked: tuple[Phrase, ...]) -> list[Hit]:
        """All hits, newest first."""
        found = [
            hit
            for where, hit, row in list(self._messages.values())
            if where == shop and matches(asked, row)
        ]
        return sorted(found, key=lambda hit: hit.place, reverse=True)


class MemorySearch:
    """See Search. Belongs to a log and a directory, which closing it does not close."""

    def __init__(self, log: MemoryLog, directory: MemoryDirectory) -> None:
        self._log = log
        self._directory = directory

    async def messages(
        self, shop: str, query: str, *, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """See Search."""
        check_limit(limit)
        check_integer("before", before or 0)
        self._log.check()
        if not (asked := words.query(query)):
            return []
        found = self._log.index.find(shop, asked)
        return [hit for hit in found if before is None or hit.place < before][:limit]

    async def visitors(self, shop: str, query: str, *, limit: int = 5) -> list[Visitor]:
        """See Search."""
        check_limit(limit)
        whole, begun = words.words(words.query(query))
        if begun is None and not whole:
            return []
        found = [
            visitor
            for visitor in await self._directory.list_visitors(shop)
            if _is_called(called(visitor), whole, begun)
        ]
        return sorted(found, key=lambda v: (v.seen_at, v.id), reverse=True)[:limit]

    async def unindexed(self, *, limit: int = 100) -> list[UUID]:
        """See Search."""
        check_limit(limit)
        return sorted(self._log.index.unindexed)[:limit]

    async def count_unindexed(self) -> int:
        """See Search."""
        return len(self._log.index.unindexed)

    async def index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        """See Search."""
        for one in found:
            check_findable(one.text, one.seq)
        return await self._log.perform(partial(self._index, conversation, shop, head, found))

    async def reset_index(self) -> int:
        """See Search."""
        return await self._log.perform(self._reset)

    async def close(self) -> None:
        """See Search."""

    def _index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        if self._log.head(conversation) != head:
            return False
        index = self._log.index
        index.forget(conversation)
        for one in found:
            index.add(conversation, shop, one)
        index.unindexed.discard(conversation)
        return True

    def _reset(self) -> int:
        index = self._log.index
        index.unindexed = set(self._log.conversations())
        for conversation in index.unindexed:
            index.forget(conversation)
        return len(index.unindexed)


def _is_called(names: frozenset[str], whole: tuple[str, ...], begun: str | None) -> bool:
    begins = begun is None or any(name.startswith(begun) for name in names)
    return begins and names.issuperset(whole)
