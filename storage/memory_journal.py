"""MemoryJournal: the journal of a store that keeps nothing.

It holds to what the others do, save that a restart forgets everything.
May import: base, journal, limits.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from storage.base import FINAL, Record, StoreUnavailable
from storage.journal import in_the_way, weigh_record
from storage.limits import check_integer, check_limit


class MemoryJournal:
    """See Journal. No method awaits, so each is atomic on its loop."""

    def __init__(self) -> None:
        self._records: dict[UUID, Record] = {}
        self._epochs: Counter[str] = Counter()
        self._closed = False

    async def put(self, record: Record, *, expected: str | None) -> Record:
        """See Journal."""
        self._check()
        weigh_record(record)
        rivals = [r for r in self._records.values() if r.key == record.key and r.id != record.id]
        rival = in_the_way(record, expected, self._records.get(record.id), rivals)
        if rival is None:
            self._records[record.id] = record
        return rival or record

    async def find_record(self, id: UUID) -> Record | None:
        """See Journal."""
        self._check()
        return self._records.get(id)

    async def unfinished(self, *, older_than: int, limit: int = 100) -> list[Record]:
        """See Journal."""
        self._check()
        check_integer("older_than", older_than)
        check_limit(limit)
        found = [
            r for r in self._records.values() if r.state not in FINAL and r.updated_at < older_than
        ]
        return sorted(found, key=lambda r: (r.updated_at, r.id))[:limit]

    async def forget(self, *, older_than: int, limit: int = 1_000) -> int:
        """See Journal."""
        self._check()
        check_integer("older_than", older_than)
        check_limit(limit)
        old = [
            r.id for r in self._records.values() if r.state in FINAL and r.updated_at < older_than
        ]
        for id in old[:limit]:
            del self._records[id]
        return len(old[:limit])

    async def next_epoch(self, name: str) -> int:
        """See Journal."""
        self._check()
        self._epochs[name] += 1
        return self._epochs[name]

    async def close(self) -> None:
        """See Journal."""
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
