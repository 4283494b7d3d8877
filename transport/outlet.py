"""Bytes on their way out of a session, and how they are cut into writes.

May import: wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from transport.wire.lane import Via

CHUNK = 16_384
"""Bytes of stream records that are joined into one write, about."""


class Outlet:
    """What waits for one `Via` of a carrier, and the task that writes it while there is any."""

    __slots__ = ("_items", "size", "task")

    def __init__(self) -> None:
        self._items: list[tuple[Via, bytes]] = []
        self.size = 0
        """Bytes not yet written, those of the write under way included."""
        self.task: asyncio.Task[None] | None = None

    def put(self, via: Via, data: bytes) -> None:
        """Queue one packet."""
        self._items.append((via, data))
        self.size += len(data)

    @property
    def waiting(self) -> bool:
        """Whether there is something that no write has taken yet."""
        return bool(self._items)

    def drain(self) -> Iterator[tuple[Via, bytes]]:
        """Writes until nothing is left. A message or datagram stays whole, stream bytes join."""
        while self._items:
            items, self._items = self._items, []
            chunk = bytearray()
            for via, data in items:
                if via is not Via.STREAM:
                    yield via, data
                    continue
                chunk += data
                if len(chunk) >= CHUNK:
                    yield via, bytes(chunk)
                    chunk.clear()
            if chunk:
                yield Via.STREAM, bytes(chunk)
