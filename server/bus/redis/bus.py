"""The bus on Redis: what the seam promises, from a way out, a way in, and the order between.

What holds always: an event is out (`done`) once Redis has it. An event that was lost after that, by
a Redis that died, was flushed or had to trim, is noticed by all who should have got it, and they
call `on_gap`. `publish` and what is delivered go on when Redis is away, as far as the bounds of
publisher.py go; `subscribe` waits for it.
Entries of a conversation reach receivers in the order of their positions, once (order.py).
May import: base, order, receivers, and the parts beside it; storage's Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import structlog

from server.bus.base import Appended, Done, Event, Receiver
from server.bus.order import Order
from server.bus.receivers import Receivers
from server.bus.redis.publisher import Publisher
from server.bus.redis.reader import Reader
from server.bus.redis.scripts import Keys
from storage.redis import Redis

log = structlog.get_logger(__name__)


class RedisBus:
    """Fan-out over Redis. `run` must run for anything to happen."""

    def __init__(
        self, redis: Redis, prefix: str = "tw:", on_gap: Callable[[], None] = lambda: None
    ) -> None:
        self.on_gap = on_gap
        self.gaps = 0
        self._clock = asyncio.get_running_loop().time
        self._receivers = Receivers()
        self._order: Order[tuple[str, Appended]] = Order()
        self._timer: asyncio.TimerHandle | None = None
        name, keys = uuid4().hex, Keys(prefix)
        self._publisher = Publisher(redis, keys, name, self._clock)
        self._reader = Reader(redis, keys, name, self._deliver, self._gap, self._clock)

    @property
    def dropped(self) -> int:
        """Events lost at the bounds of what may wait."""
        return self._publisher.dropped

    @property
    def late(self) -> int:
        """Fleeting events that were not sent, because Redis was away for too long."""
        return self._publisher.late

    @property
    def counts(self) -> dict[str, int]:
        """For the metrics."""
        return {"dropped": self.dropped, "late": self.late, "gaps": self.gaps}

    @property
    def waiting(self) -> int:
        """Events that Redis does not have yet."""
        return self._publisher.waiting

    def publish(self, topic: str, event: Event, done: Done | None = None) -> None:
        """Send it off; it comes back in the order that all see."""
        self._publisher.put(topic, event, done)

    async def flushed(self) -> None:
        """Returns when all that was published is out. Leaving begins with it, within some time."""
        await self._publisher.flushed()

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Returns when it is known from where on the topic is read."""
        await self._publisher.flushed()  # What was published before is not for this receiver.
        if self._reader.follows(topic):
            self._receivers.add(topic, receiver)
            return
        try:
            await self._reader.follow(topic, lambda: self._receivers.add(topic, receiver))
        except asyncio.CancelledError:
            await self.unsubscribe(topic, receiver)
            raise

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        if self._receivers.remove(topic, receiver):
            self._reader.leave(topic)

    async def close(self) -> None:
        self._receivers.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def run(self) -> None:
        """Keep in touch with Redis, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publisher.run())
            tasks.create_task(self._reader.run())
            tasks.create_task(self._reader.beat())

    def _deliver(self, topic: str, event: Event) -> None:
        if not isinstance(event, Appended):
            self._receivers.deliver(topic, event)
            return
        entry = event.entry
        place = entry.epoch, entry.seq
        self._pass(self._order.put(entry.conversation, place, (topic, event), self._clock()))
        self._set_timer()

    def _due(self) -> None:
        self._timer = None
        self._pass(self._order.due(self._clock()))
        self._set_timer()

    def _pass(self, entries: list[tuple[str, Appended]]) -> None:
        for topic, event in entries:
            self._receivers.deliver(topic, event)

    def _set_timer(self) -> None:
        due = self._order.next_due()
        if self._timer is None and due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._due)

    def _gap(self, reason: str) -> None:
        self.gaps += 1
        log.warning("bus.gap", reason=reason)
        self.on_gap()
