"""The way out: what was published waits here until Redis has it.

What holds always: events reach the streams in the order of the `put` calls, each once, also when
the answer of Redis was lost; all that was published in one turn of the loop leaves together, and
what is published while a batch is under way leaves with the next. While Redis is away everything
waits, and is tried again and again; fleeting events that have waited LATE seconds are dropped.
Bounds: MAX_WAITING events and MAX_WAITING_BYTES, over either of which `put` drops; MAX_BATCH events
and MAX_BATCH_BYTES in one batch, for which Redis does nothing else.
May import: base, receivers, scripts; storage's Redis.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from server.bus.base import MAX_WAITING, Done, Event, Fleeting
from server.bus.receivers import tell
from server.bus.redis.scripts import APPEND, Keys
from storage.redis import Redis, RedisError

MAX_WAITING_BYTES = 67_108_864
MAX_BATCH = 500
MAX_BATCH_BYTES = 1_048_576

MAX_LENGTH = 20_000
"""Items of a topic that Redis keeps, about: a reader that is further behind has a gap."""
KEPT = 60
"""Seconds that an item is kept, about."""
SLEEP = 3600
"""Seconds after which the stream of a topic without publisher and reader is deleted."""
MARK = 86_400
"""Seconds for which Redis knows the last batch of a publisher: after an outage that was longer a
batch may come twice."""

LATE = 5.0
"""Seconds after which a fleeting event is not worth telling."""
FIRST_RETRY, LAST_RETRY = 0.05, 1.0
"""Seconds before the first repetition, and the most between two: each waits twice as long."""

encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
log = structlog.get_logger(__name__)


class _Item(Struct, frozen=True):
    """An event on its way."""

    topic: str
    data: bytes
    until: float | None
    done: Done | None


class Publisher:
    """Sends what waits. `name` tells it from all others, for ever."""

    def __init__(self, redis: Redis, keys: Keys, name: str, clock: Callable[[], float]) -> None:
        self.dropped = 0
        self.late = 0
        self._redis = redis
        self._keys = keys
        self._mark = keys.batch(name)
        self._clock = clock
        self._numbers = count(1)
        self._waiting: deque[_Item] = deque()
        self._bytes = 0
        self._work = asyncio.Event()
        self._put = 0
        """Events that were ever put; `_over` of them are out, or dropped."""
        self._over = 0
        self._flushing: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """Events that Redis does not have."""
        return self._put - self._over

    def put(self, topic: str, event: Event, done: Done | None) -> None:
        """Send it with the next batch."""
        data = encode(event)
        if len(self._waiting) >= MAX_WAITING or self._bytes + len(data) > MAX_WAITING_BYTES:
            self.dropped += 1
            return
        until = self._clock() + LATE if isinstance(event, Fleeting) else None
        self._waiting.append(_Item(topic, data, until, done))
        self._bytes += len(data)
        self._put += 1
        self._work.set()

    async def flushed(self) -> None:
        """Returns when all that was put until now is out, or was dropped."""
        if self._put > self._over:
            out: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushing.append((self._put, out))
            await out

    async def run(self) -> None:
        """Send, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._send(self._batch())

    def _batch(self) -> list[_Item]:
        """The next to be sent."""
        batch: list[_Item] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].data)
        self._bytes -= size
        return batch

    async def _send(self, batch: list[_Item]) -> None:
        """Send until it is there. Trying again does not double it."""
        number, delay = next(self._numbers), FIRST_RETRY
        while True:
            current = [item for item in batch if item.until is None or self._clock() < item.until]
            try:
                await self._append(number, current)
                break
            except (RedisError, OSError) as error:
                if delay == FIRST_RETRY:
                    log.warning("bus.away", reason=str(error), waiting=self.waiting)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RETRY)
        if delay > FIRST_RETRY:
            log.info("bus.back", waiting=self.waiting)
        self._sent(batch, current)

    async def _append(self, number: int, items: list[_Item]) -> None:
        if not items:
            return
        index = {topic: n for n, topic in enumerate(dict.fromkeys(i.topic for i in items), 2)}
        arguments: list[Any] = [number, MARK, MAX_LENGTH, KEPT, SLEEP]
        for item in items:
            arguments += (index[item.topic], item.data)
        keys = [self._mark, *map(self._keys.topic, index)]
        await self._redis.eval(APPEND, len(keys), *keys, *arguments)

    def _sent(self, batch: list[_Item], out: list[_Item]) -> None:
        """Say so to all who wait for it."""
        self._over += len(batch)
        self.late += len(batch) - len(out)
        for item in out:
            if item.done is not None:
                tell(item.done)
        while self._flushing and self._flushing[0][0] <= self._over:
            _, flushed = self._flushing.popleft()
            if not flushed.done():
                flushed.set_result(None)
