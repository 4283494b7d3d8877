"""Entries as they come in, for whoever iterates over them.

Bound: MAX_BACKLOG entries not yet taken; past it the iteration raises EntriesLost once it has given
those out, and takes no more.
May import: client errors, wire.
"""

from __future__ import annotations

import asyncio
from collections import deque

from transport.client.errors import EntriesLost
from transport.wire.frames import Deliver

MAX_BACKLOG = 10_000


class Entries:
    """An async iterator. One task at a time may iterate."""

    def __init__(self) -> None:
        self._backlog: deque[Deliver] = deque()
        self._end: Exception | None = None
        self._news = asyncio.Event()

    def put(self, entry: Deliver) -> None:
        """Give it an entry."""
        if self._end is not None:
            return
        if len(self._backlog) >= MAX_BACKLOG:
            self.end(EntriesLost(f"{MAX_BACKLOG} entries were not taken; take them faster"))
            return
        self._backlog.append(entry)
        self._news.set()

    def end(self, error: Exception) -> None:
        """Raise this after what is there. The first end counts."""
        self._end = self._end or error
        self._news.set()

    def __aiter__(self) -> Entries:
        return self

    async def __anext__(self) -> Deliver:
        while not self._backlog:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._backlog.popleft()
