"""HotLog: a MessageLog whose reads come from the index where it can answer.

Why that is right stands in the package's docstring. What holds always:
- an append that returned is on disk in the inner log, and its entries are indexed or their
  conversations are behind;
- a read that the index cannot answer for certain is the inner log's;
- callers are resumed in the order in which the inner log resumed them;
- an append that was begun is finished and indexed even if who asked for it goes away.
May import: base, limits, redis, and this package.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from storage.base import Appended, Conflict, Draft, Entry, Head, MessageLog, StoreUnavailable
from storage.hot.batch import Batch
from storage.hot.behind import Behind
from storage.hot.gate import Gate
from storage.hot.index import NEWEST, Begun, Built, Index, Look, Seen
from storage.hot.packing import restore
from storage.hot.tasks import Tasks
from storage.hot.tuning import Tuning
from storage.limits import check_ids, check_integer, check_limit
from storage.redis import Redis

PREFIX = "tw:hot:"
"""What the names of all keys begin with."""
RESUMED = 128
"""Heads that a resume or a page of the inbox asks for. Who asks for more goes to the log."""

Cut = Callable[[list[Entry]], list[Entry] | None]
"""The answer out of the last entries of a conversation; None when they do not reach back so far."""


class HotLog:
    """The index in front of `inner`, which it closes. `redis` stays the caller's, and is closed
    after this."""

    def __init__(
        self, inner: MessageLog, redis: Redis, prefix: str = PREFIX, tuning: Tuning | None = None
    ) -> None:
        tuning = tuning or Tuning()
        index = Index(redis, prefix, tuning)
        self._inner = inner
        self._tuning = tuning
        self._appends = Tasks()
        self._tasks = Tasks()
        self._gate = Gate(self._tasks)
        self._behind = Behind(index, self._gate, tuning)
        bounds = (self._gate, tuning.deadline, tuning.together)
        self._puts = Batch[Sequence[Entry], bool](index.put, *bounds, self._behind.left)
        self._looks = Batch[Sequence[Look], list[Seen | Begun | None]](index.look, *bounds)
        self._fills = Batch[Built, bool](index.fill, self._gate, tuning.patience, tuning.together)
        self._building: dict[UUID, asyncio.Task[None]] = {}
        self._closed = False
        self.hits = 0
        """Reads, and heads, that the index answered."""
        self.misses = 0
        """Those that went to the inner log."""
        self.rebuilds = 0
        """Sets that were begun here and filled, unless they were lost meanwhile."""

    @property
    def errors(self) -> int:
        """Calls to Redis that failed or came too late."""
        return self._gate.errors

    @property
    def lagging(self) -> int:
        """Conversations that are behind."""
        return len(self._behind)

    def behind(self, conversation: UUID) -> bool:
        """Whether the index may hide what was appended here. Then do not publish it to others."""
        return conversation in self._behind

    async def ensure(self, entries: Sequence[Entry]) -> bool:
        """Make sure that the index does not hide these, whoever appended them. Did it work?"""
        return not entries or await self._puts.ask(entries) is not None

    def forget(self, conversations: Sequence[UUID]) -> None:
        """Their logs were changed otherwise than by appending: delete what is kept of them."""
        self._behind.add(conversations)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.shield(self._appends.start(self._append(drafts)))

    async def _append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        results = await self._inner.append(drafts)
        # Resends too: who appended it first may have died before it was indexed.
        await self.ensure([result.entry for result in results])
        return results

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        check_integer("after", after)
        check_limit(limit)
        found = await self._read(
            Look(conversation, b"after", after, limit, begin=self._room() > 0),
            lambda last: _after(last, after, limit),
        )
        if found is None:
            found = await self._inner.read(conversation, after=after, limit=limit)
        return found

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        check_integer("before", before or 0)
        check_limit(limit)
        position = NEWEST if before is None else before
        found = await self._read(
            Look(conversation, b"before", position, limit, begin=self._room() > 0),
            lambda last: _before(last, before, limit),
        )
        if found is None:
            found = await self._inner.read_before(conversation, before=before, limit=limit)
        return found

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        check_ids(conversations)
        asked = list(dict.fromkeys(conversations))
        if len(asked) > RESUMED:
            return await self._inner.heads(asked)
        room = self._room()
        looks = [Look(id, b"head", begin=n < room) for n, id in enumerate(asked)]
        heads: dict[UUID, Head] = {}
        for id, answer in zip(asked, await self._look(looks), strict=True):
            if isinstance(answer, Seen):
                heads[id] = Head(answer.found[0].epoch, answer.found[0].seq)
            elif isinstance(answer, Begun):
                self._build(id, answer.token)
        self.hits += len(heads)
        self.misses += len(asked) - len(heads)
        if len(heads) < len(asked) or self._closed:
            heads |= await self._inner.heads([id for id in asked if id not in heads])
        return heads

    async def close(self) -> None:
        """See MessageLog. What is behind stays in the outbox, for others."""
        self._closed = True
        await self._appends.finish()
        self._behind.stop()
        await self._tasks.finish()
        await self._inner.close()

    async def _read(self, look: Look, cut: Cut) -> list[Entry] | None:
        """The answer, from the index or from a set that is being built; None: ask the log."""
        if (building := self._building.get(look.conversation)) is not None:
            await asyncio.wait({building}, timeout=self._tuning.deadline)
        [answer] = await self._look([look])
        found: list[Entry] | None = None
        if isinstance(answer, Seen):
            found = restore(look.conversation, answer.found)
        self.hits += found is not None
        self.misses += found is None
        if isinstance(answer, Begun):
            # Read after this read was asked for, so it is good enough for it.
            found = cut(await asyncio.shield(self._build(look.conversation, answer.token)))
        return found

    async def _look(self, looks: Sequence[Look]) -> list[Seen | Begun | None]:
        """What the index says. It is not asked about those who are behind at this moment: an
        answer may come after its set was deleted, and be from before."""
        asked = [look for look in looks if look.conversation not in self._behind]
        if self._closed or self._gate.shut or not asked:
            return [None] * len(looks)
        told = await self._looks.ask(asked)
        answers = {} if told is None else dict(zip(asked, told, strict=True))
        return [answers.get(look) for look in looks]

    def _room(self) -> int:
        return self._tuning.builds - len(self._building)

    def _build(self, conversation: UUID, token: bytes) -> asyncio.Task[list[Entry]]:
        """Read the last entries of what was begun, and fill its set with them, apart."""
        last = self._tasks.start(self._inner.read_before(conversation, limit=self._tuning.read))
        self._building[conversation] = self._tasks.start(self._fill(conversation, token, last))
        return last

    async def _fill(
        self, conversation: UUID, token: bytes, last: asyncio.Task[list[Entry]]
    ) -> None:
        try:
            built = Built(conversation, token, tuple(await last))
            if await self._fills.ask(built):
                self.rebuilds += 1
        finally:
            self._building.pop(conversation, None)


def _after(last: list[Entry], after: int, limit: int) -> list[Entry] | None:
    """The cut for `read`."""
    if last and last[0].seq > max(after + 1, 1):
        return None
    return [entry for entry in last if entry.seq > after][:limit]


def _before(last: list[Entry], before: int | None, limit: int) -> list[Entry] | None:
    """The cut for `read_before`."""
    older = [entry for entry in last if before is None or entry.seq < before]
    if last and last[0].seq > 1 and len(older) < limit:
        return None
    return older[-limit:]
