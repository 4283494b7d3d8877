"""What the tests of the hot index share: logs in front of a real Redis, and a log that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from storage.base import Entry, Head
from storage.hot import HotLog, Tuning
from storage.memory import MemoryLog

QUICK = Tuning(settle=0, pause=0.05)
"""A namespace is filled at once, and a Redis that was away is tried often."""
PATIENT = Tuning(settle=0, pause=0.05, deadline=2.0)
"""For tests in which Redis is well: a busy machine is no reason to do without it."""


class Counting(MemoryLog):
    """A log in memory that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        self.asked += 1
        return await super().read(conversation, after=after, limit=limit)

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        self.asked += 1
        return await super().read_before(conversation, before=before, limit=limit)

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        self.asked += 1
        return await super().heads(conversations)


class Twice(HotLog):
    """Asks everything again when the index has had time to be built, and holds the two together."""

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        first = await super().read(conversation, after=after, limit=limit)
        await built(self)
        assert await super().read(conversation, after=after, limit=limit) == first
        return first

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        first = await super().read_before(conversation, before=before, limit=limit)
        await built(self)
        assert await super().read_before(conversation, before=before, limit=limit) == first
        return first

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        first = await super().heads(conversations)
        await built(self)
        assert await super().heads(conversations) == first
        return first


async def built(log: HotLog) -> None:
    """Returns when nothing is being built any more."""
    await until(lambda: not log._building)


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)
