"""What waits to be carried to another region: the seam, and the one that keeps it in memory.

Items are put in by whoever commits something that the other region must have, and taken out by the
relay once the other region has it on disk. What is true stands in the database, whose outbox still
holds what does not fit in here; so a backlog may be lost, and is filled again from there.

Invariants, which tests/conformance/backlog_suite.py holds every implementation to:
- items are read in the order in which they were put, each with a place of its own that sorts after
  all earlier ones; reading takes nothing out;
- `put` takes the first items for which there is room and says how many; at most `bound` are in it;
- `done` takes out what it names, in whatever order, and ignores what is not there;
- `read` gives what comes after a place, waits up to `wait` seconds if there is nothing, and then
  gives nothing.
May import: messages' keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

BOUND = 1_000_000
"""Items that a backlog holds at most: an hour at 280 a second, about 400 MB in Redis."""
FIRST = ""
"""Before all places."""


class Load(Struct, frozen=True):
    """What is to be carried. Loads of one `key` keep their order."""

    key: bytes
    item: bytes


class Waiting(Struct, frozen=True):
    """A load at its place."""

    place: str
    load: Load


class Depth(Struct, frozen=True):
    """How much waits, and since when (Unix ms; None: nothing)."""

    items: int
    oldest: int | None


class Backlog(Protocol):
    """See above. Every method raises BacklogAway when it cannot be reached."""

    async def put(self, loads: Sequence[Load]) -> int:
        """Put in what there is room for; how many that were, from the front."""
        ...

    async def read(self, after: str, *, limit: int, wait: float = 0.0) -> list[Waiting]: ...
    async def done(self, places: Sequence[str]) -> None: ...
    async def depth(self) -> Depth: ...


class BacklogAway(Exception):
    """What keeps it does not answer."""


class MemoryBacklog:
    """For one process, and tests. `now` gives Unix ms."""

    def __init__(self, now: int = 0, bound: int = BOUND) -> None:
        self.now = now
        self._bound = bound
        self._count = 0
        self._waiting: dict[str, tuple[Load, int]] = {}
        self._more = asyncio.Event()

    async def put(self, loads: Sequence[Load]) -> int:
        """See Backlog."""
        taken = loads[: max(0, self._bound - len(self._waiting))]
        for load in taken:
            self._count += 1
            self._waiting[f"{self._count:020}"] = load, self.now
        if taken:
            self._more.set()
        return len(taken)

    async def read(self, after: str, *, limit: int, wait: float = 0.0) -> list[Waiting]:
        """See Backlog."""
        if not (found := self._after(after, limit)) and wait:
            self._more.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._more.wait()
            except TimeoutError:
                return []
            found = self._after(after, limit)
        return found

    async def done(self, places: Sequence[str]) -> None:
        """See Backlog."""
        for place in places:
            self._waiting.pop(place, None)

    async def depth(self) -> Depth:
        """See Backlog."""
        oldest = min((at for _, at in self._waiting.values()), default=None)
        return Depth(len(self._waiting), oldest)

    def _after(self, after: str, limit: int) -> list[Waiting]:
        found = [
            Waiting(place, load) for place, (load, _) in self._waiting.items() if place > after
        ]
        return found[:limit]
