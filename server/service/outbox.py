"""From the store's outbox to the bus: what was committed is published, by whoever is still there.

The worker that appended publishes at once and takes the entry off the outbox when the bus has it.
If it dies in between, or the bus was away, the entry stays there, and a sweeper publishes it: any
worker's, on any host, PUBLISH_LATE seconds after the commit.

What holds always: an entry leaves the outbox only after the bus has taken it, so every committed
entry is published at least once (twice is no harm: receivers put entries in order and drop what
they have seen, bus/order.py); what the hot index might hide is not published (storage/hot);
publishing never waits.
Bounds: MAX_SETTLING entries wait to be taken off; over it they stay in the outbox and the sweeper
meets them again.
May import: bus; storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog

from server.bus.base import Appended, Done
from storage.base import Entry, Outbox, StorageError

MAX_SETTLING = 20_000
TOGETHER = 500
"""Entries taken off, or swept, at once."""
SETTLE_EVERY = 0.1
"""Seconds over which entries are gathered before they are taken off."""
PUBLISH_LATE = 2.0
"""Seconds an entry stays in the outbox before somebody else than its worker publishes it."""
SWEEP_EVERY = 1.0

Publish = Callable[[str, Appended, Done], None]
"""Hands an event to the bus, which says when it has it."""
Place = tuple[UUID, int]
"""(conversation, seq)."""

log = structlog.get_logger(__name__)


class Index(Protocol):
    """What must know of an entry before it is published: the hot index."""

    def behind(self, conversation: UUID) -> bool:
        """Whether it may hide what was appended here."""
        ...

    async def ensure(self, entries: Sequence[Entry]) -> bool:
        """Make sure that it hides none of these; whether that worked."""
        ...


class NoIndex:
    """There is none, so it hides nothing."""

    def behind(self, conversation: UUID) -> bool:
        """See Index."""
        return False

    async def ensure(self, entries: Sequence[Entry]) -> bool:
        """See Index."""
        return True


class Announcer:
    """Publishes what is appended here, and what the outbox still holds of others."""

    def __init__(self, publish: Publish, outbox: Outbox, index: Index | None = None) -> None:
        self.swept = 0
        """Entries published that others had left behind."""
        self._publish = publish
        self._outbox = outbox
        self._index = index or NoIndex()
        self._settling: dict[Place, None] = {}
        self._some = asyncio.Event()

    def publish(self, shop: str, event: Appended) -> None:
        """Publish one at its commit; later, by a sweeper, if the index may hide it."""
        place = _place(event.entry)
        if not self._index.behind(event.entry.conversation):
            self._publish(shop, event, partial(self._published, place))

    async def run(self) -> None:
        """Take off what was published, and sweep, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settle_always())
            tasks.create_task(self._sweep_always())

    async def settle(self) -> None:
        """Take off what was published so far. Raises StorageError."""
        while self._settling:
            places = [*self._settling][:TOGETHER]
            await self._outbox.settle(places)
            for place in places:
                self._settling.pop(place, None)

    async def sweep(self) -> int:
        """Publish what was left behind; how many there were. Raises StorageError."""
        due = await self._outbox.due(older_than=PUBLISH_LATE, limit=TOGETHER)
        left = [one for one in due if _place(one.entry) not in self._settling]
        if await self._index.ensure([one.entry for one in left]):
            for one in left:
                self.publish(one.shop, Appended(one.visitor, one.entry))
            self.swept += len(left)
        return len(due)

    def _published(self, place: Place) -> None:
        if len(self._settling) < MAX_SETTLING:
            self._settling[place] = None
            self._some.set()

    async def _settle_always(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(SETTLE_EVERY)
            try:
                await self.settle()
            except StorageError as error:
                log.warning("outbox.not_settled", reason=str(error))
                self._some.set()

    async def _sweep_always(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                while await self.sweep() >= TOGETHER:
                    pass
            except StorageError as error:
                log.warning("outbox.not_swept", reason=str(error))


def _place(entry: Entry) -> Place:
    return entry.conversation, entry.seq
