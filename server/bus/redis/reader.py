"""The way in: one blocking read of all streams that somebody here follows.

What holds always: the items of a topic are delivered in the order of its stream, from the place
where it ended when it was joined; when an item is missing (its stream was trimmed, flushed, or
ended with a Redis that died) `gap` is called, after the topic has a place from which on nothing is
missed again. A connection that breaks is made again; if Redis is the same run as before, reading
goes on where it was, else all topics begin anew and that is a gap.

Every BEAT seconds something is written to a stream that is this reader's own. It shows that Redis
was not flushed (else the stream would not be there), and that what is written arrives: if not, for
DEAF seconds, this reader listens to the wrong server and connects again. It is also how a read is
woken that waits while another topic is to be joined.

Bounds: MAX_READ items of a topic in one read; what is further behind waits in Redis.
May import: base, scripts; the constants of publisher; storage's Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from server.bus.base import Event, Fleeting
from server.bus.redis.publisher import FIRST_RETRY, LAST_RETRY, LATE, SLEEP
from server.bus.redis.scripts import FIELD, NEWEST, Keys, Place
from storage.redis import Redis, RedisError, run_id

MAX_READ = 500
BLOCK = 1000
"""Milliseconds that a read waits, less than storage.redis.ANSWER."""
BEAT = 1.0
DEAF = 5.0
FORGET = 60
"""Seconds without a beat after which Redis forgets a reader, whose process must have died."""

_NOTHING: dict[Any, Any] = {FIELD: b""}
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
log = structlog.get_logger(__name__)

Deliver = Callable[[str, Event], None]
Gap = Callable[[str], None]


class _Deaf(Exception):
    """What is written does not arrive."""


class _Join(Struct, frozen=True):
    """Somebody who waits for a topic. `joined` is called when it has its place."""

    topic: str
    joined: Callable[[], None]
    done: asyncio.Future[None]


class Reader:
    """Reads what is followed. `name` tells it from all others, for ever."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        name: str,
        deliver: Deliver,
        gap: Gap,
        clock: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._beat_key = keys.beat(name)
        self._deliver = deliver
        self._gap = gap
        self._clock = clock
        self._places: dict[str, Place] = {}
        self._joins: list[_Join] = []
        self._run: str | None = None
        self._offset = 0.0
        """What Redis's clock shows, in milliseconds, when ours shows 0."""
        self._flushes = self._flushes_seen = 0
        self._written = self._heard = 0.0
        """When a beat was written and when one was read for the last time."""
        self._beat_place: str | bytes = "0-0"

    def follows(self, topic: str) -> bool:
        """Whether the topic has a place."""
        return topic in self._places

    async def follow(self, topic: str, joined: Callable[[], None]) -> None:
        """Returns when the topic has a place; `joined` is called before anything is delivered."""
        join = _Join(topic, joined, asyncio.get_running_loop().create_future())
        self._joins.append(join)
        try:
            await self._beat()
            await join.done
        finally:
            if join in self._joins:
                self._joins.remove(join)

    def leave(self, topic: str) -> None:
        """Enough of a topic."""
        self._places.pop(topic, None)

    async def run(self) -> None:
        """Read, for ever."""
        delay = FIRST_RETRY
        while True:
            try:
                async with self._redis.client() as redis:
                    await self._begin(redis)
                    delay = FIRST_RETRY
                    while True:
                        await self._turn(redis)
            except (RedisError, OSError, _Deaf) as error:
                if delay == FIRST_RETRY:
                    log.warning("bus.deaf", reason=str(error))
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RETRY)

    async def beat(self) -> None:
        """Write beats, for ever, and keep Redis from deleting what is followed and silent."""
        due = 0.0
        while True:
            await asyncio.sleep(BEAT)
            await self._beat()
            if self._clock() >= due:
                due = self._clock() + SLEEP / 4
                await self._keep_awake()

    async def _begin(self, redis: Redis) -> None:
        """What is to be known of a connection; and whether everything must begin anew."""
        run = await run_id(redis)
        there: Any = await redis.xadd(self._beat_key, _NOTHING, maxlen=1, nomkstream=True)
        if there is None:
            there = await redis.xadd(self._beat_key, _NOTHING)
            await redis.expire(self._beat_key, FORGET)
            self._flushes += 1
        self._beat_place = there
        await self._set_clock(redis)
        self._written = self._heard = self._clock()
        if run != self._run:
            self._flushes += self._flushes == self._flushes_seen
        await self._begin_anew(redis, told=self._run is not None)
        self._run = run

    async def _begin_anew(self, redis: Redis, *, told: bool = True) -> None:
        """Give all topics new places, if Redis was flushed or is another."""
        flushes = self._flushes
        if flushes == self._flushes_seen:
            return
        for topic, place in await self._newest(redis, self._places):
            if topic in self._places:
                self._places[topic] = place
        self._flushes_seen = flushes
        if told:
            self._gap("Redis was flushed, or is another")

    async def _turn(self, redis: Redis) -> None:
        """Join what is to be joined, then read once."""
        await self._begin_anew(redis)
        if self._joins:
            await self._join(redis)
        topics = {self._keys.topic(topic).encode(): topic for topic in self._places}
        places: Any = {key: str(self._places[topic]) for key, topic in topics.items()}
        places[self._beat_key] = self._beat_place
        read: Any = await redis.xread(places, count=MAX_READ, block=BLOCK)
        streams = dict(read)
        if beats := streams.pop(self._beat_key.encode(), None):
            self._beat_place = beats[-1][0]
            self._heard = self._clock()
        for key, items in streams.items():
            self._take(topics[key], items)
        if beats:
            await self._set_clock(redis)
        if self._written - self._heard > DEAF:
            if redis.connection is not None:
                await redis.connection.disconnect(nowait=True)
            raise _Deaf("what is written there does not arrive here")

    async def _join(self, redis: Redis) -> None:
        joins = tuple(self._joins)
        found = dict(await self._newest(redis, {join.topic for join in joins}))
        for join in joins:
            if not join.done.done():
                self._places.setdefault(join.topic, found[join.topic])
                join.joined()
                join.done.set_result(None)
        self._joins = [join for join in self._joins if not join.done.done()]

    async def _newest(self, redis: Redis, topics: Iterable[str]) -> list[tuple[str, Place]]:
        """The places of the topics' newest items."""
        topics = list(topics)
        keys = [self._keys.topic(topic) for topic in topics]
        ids: Any = await redis.eval(NEWEST, len(keys), *keys) if keys else []
        return list(zip(topics, map(Place.parse, ids), strict=True))

    def _take(self, topic: str, items: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Deliver what came, unless nobody follows the topic any more."""
        missing = False
        now = self._offset + self._clock() * 1000
        for id, fields in items:
            if (last := self._places.get(topic)) is None:
                break
            place = self._places[topic] = Place.parse(id)
            missing |= place.number != last.number + 1
            try:
                event = _event.decode(fields[FIELD])
            except (msgspec.MsgspecError, KeyError) as error:
                log.error("bus.rubbish", topic=topic, reason=str(error))
                continue
            if not (isinstance(event, Fleeting) and now - place.ms > LATE * 1000):
                self._deliver(topic, event)
        if missing:
            self._gap("items of a stream are gone")

    async def _beat(self) -> None:
        """Wake the reader. Whether Redis is there, the reader notices by itself."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(self._beat_key, _NOTHING, maxlen=1, nomkstream=True)
                pipe.expire(self._beat_key, FORGET)
                written, _ = await pipe.execute()
            if written is not None:
                self._written = self._clock()
            elif self._run is not None:
                self._flushes += 1
                await self._redis.xadd(self._beat_key, _NOTHING)
        except (RedisError, OSError) as error:
            log.debug("bus.beat", reason=str(error))

    async def _keep_awake(self) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for topic in self._places:
                    pipe.expire(self._keys.topic(topic), SLEEP)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.debug("bus.beat", reason=str(error))

    async def _set_clock(self, redis: Redis) -> None:
        seconds, micros = await redis.time()
        self._offset = seconds * 1000 + micros / 1000 - self._clock() * 1000
