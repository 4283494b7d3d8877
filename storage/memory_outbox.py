"""MemoryOutbox: what a MemoryLog stored and nobody has published yet.

May import: base, limits, memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from msgspec import Struct

from storage.base import BUS, CLAIM, Due, Entry
from storage.limits import check_ids, check_limit
from storage.memory import MemoryDirectory, MemoryLog


class _Waiting(Struct):
    """An entry that waits: since when, and until when somebody has claimed it."""

    id: int
    entry: Entry
    since: float
    claimed_until: float = 0.0


class MemoryOutbox:
    """See Outbox. Fed by the log, in the order of its commits."""

    def __init__(
        self,
        log: MemoryLog,
        directory: MemoryDirectory,
        clock: Callable[[], float],
        channels: Sequence[str] = (BUS,),
    ) -> None:
        self._log = log
        self._directory = directory
        self._clock = clock
        self._waiting: dict[str, dict[tuple[UUID, int], _Waiting]] = {
            channel: {} for channel in channels
        }
        self._last = 0
        log.stored = self._take

    async def due(self, *, older_than: float, limit: int = 100, channel: str = BUS) -> list[Due]:
        """See Outbox."""
        check_limit(limit)
        self._log.check()
        now, found = self._clock(), []
        for waiting in list(self._waiting[channel].values()):
            if waiting.since > now - older_than or waiting.claimed_until > now:
                continue
            waiting.claimed_until = now + CLAIM
            conversation = await self._directory.get_conversation(waiting.entry.conversation)
            if conversation is None:
                await self.settle([_key(waiting.entry)], channel=channel)
            else:
                due = Due(waiting.id, conversation.shop, conversation.visitor, waiting.entry)
                found.append(due)
            if len(found) == limit:
                break
        return found

    async def settle(self, entries: Sequence[tuple[UUID, int]], *, channel: str = BUS) -> None:
        """See Outbox."""
        check_ids(entries)
        self._log.check()
        for key in entries:
            self._waiting[channel].pop(key, None)

    async def waiting(self, *, channel: str = BUS) -> int:
        """See Outbox."""
        self._log.check()
        return len(self._waiting[channel])

    def _take(self, entry: Entry) -> None:
        """Called in the log's writer thread."""
        now = self._clock()
        for waiting in self._waiting.values():
            self._last += 1
            waiting[_key(entry)] = _Waiting(self._last, entry, now)


def _key(entry: Entry) -> tuple[UUID, int]:
    return entry.conversation, entry.seq
