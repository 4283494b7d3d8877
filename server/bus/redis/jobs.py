"""The jobs of many workers: a Redis Stream with a consumer group for each kind.

What holds always: what the seam promises. A job stays in its stream until it is finished or parked,
and Redis knows who began it, when, and how often it was begun. Everybody who serves looks every
`stalled / 4` seconds for jobs that were idle for too long and claims them. Finishing deletes a job
whoever does it, so a late finish does no harm. A Redis that comes back empty is served at once.
A server that has been silent and idle for FORGET seconds is forgotten by Redis.
May import: jobs; storage's Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from msgspec import Struct
from redis.exceptions import ResponseError

from server.bus.jobs import (
    MAX_PARKED,
    Counts,
    Handler,
    JobsFull,
    JobsUnavailable,
    Parked,
    Terms,
)
from storage.redis import Redis, RedisError

GROUP = "workers"
BLOCK = 1000
"""Milliseconds that a read waits at most, less than storage.redis.ANSWER."""
FORGET = 3_600_000
"""Milliseconds."""
MOST_OWN = 1_000
"""Jobs of one server that are looked at for how often they were begun."""
FIRST_RETRY, LAST_RETRY = 0.05, 2.0
"""Seconds before serving is tried again while Redis is away, twice as long each time."""

_START = b"0-0"
_PUT = """
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', 'p', ARGV[2])
"""
_FORGET = """
local gone = 0
for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local is = {}
  for i = 1, #one, 2 do is[one[i]] = one[i + 1] end
  if is.pending == 0 and is.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name)
    gone = gone + 1
  end
end
return gone
"""
"""In one step, so that nobody who has just begun a job is forgotten with it."""

log = structlog.get_logger(__name__)


class _Job(Struct, frozen=True):
    """A job that is ours to do."""

    id: bytes
    payload: bytes
    tries: int


class RedisJobs:
    """A queue in Redis."""

    def __init__(self, redis: Redis, prefix: str = "tw:", terms: Terms | None = None) -> None:
        self.counts = Counts()
        self._redis = redis
        self._prefix = prefix
        self._terms = terms or Terms()

    async def put(self, kind: str, payload: bytes) -> None:
        most = self._terms.most
        try:
            id = await self._redis.eval(_PUT, 1, self._key(kind), most, payload)
        except (RedisError, OSError) as error:
            raise JobsUnavailable(str(error)) from error
        if id is None:
            self.counts.refused += 1
            raise JobsFull(f"{most} jobs of the kind {kind} wait; try again later")

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for kind, handler in handlers.items():
                server = _Server(self._redis, kind, self._key(kind), handler, self._terms)
                tasks.create_task(server.run(self.counts))

    async def waiting(self, kind: str) -> int:
        try:
            return int(await self._redis.xlen(self._key(kind)))
        except (RedisError, OSError) as error:
            raise JobsUnavailable(str(error)) from error

    async def parked(self, kind: str) -> list[Parked]:
        try:
            found: Any = await self._redis.xrange(parked_key(self._key(kind)))
        except (RedisError, OSError) as error:
            raise JobsUnavailable(str(error)) from error
        return [Parked(fields[b"p"], fields[b"reason"].decode()) for _, fields in found]

    def _key(self, kind: str) -> str:
        return f"{self._prefix}jobs:{kind}"


def parked_key(key: str) -> str:
    """Where the parked ones of a stream are."""
    return f"{key}:parked"


class _Server:
    """One who does the jobs of one kind."""

    def __init__(self, redis: Redis, kind: str, key: str, handler: Handler, terms: Terms) -> None:
        self._redis = redis
        self._kind = kind
        self._key = key
        self._handler = handler
        self._terms = terms
        self._name = uuid4().hex
        self._busy = 0
        self._freed = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._cursor = _START
        self._look = 0.0
        """When to look for idle jobs the next time."""

    async def run(self, counts: Counts) -> None:
        """Do jobs, for ever."""
        delay = FIRST_RETRY
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async with self._redis.client() as redis:
                        await self._begin(redis)
                        while True:
                            for job in await self._next(redis, counts):
                                self._busy += 1
                                tasks.create_task(self._do(job, counts))
                            delay = FIRST_RETRY
                except (RedisError, OSError) as error:
                    log.warning("jobs.away", kind=self._kind, reason=str(error))
                await asyncio.sleep(delay)
                delay = min(2 * delay, LAST_RETRY)

    async def _begin(self, redis: Redis) -> None:
        try:
            await redis.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _next(self, redis: Redis, counts: Counts) -> list[_Job]:
        """Jobs to be done now; waits a while for some."""
        while self._busy >= self._terms.concurrency:
            self._freed.clear()
            await self._freed.wait()
        free = self._terms.concurrency - self._busy
        every = self._terms.stalled / 4
        if self._clock() >= self._look:
            stolen = await self._steal(redis, free)
            counts.begun += len(stolen)
            counts.stolen += len(stolen)
            if self._cursor == _START:  # All were looked at.
                self._look = self._clock() + every
                await redis.eval(_FORGET, 1, self._key, GROUP, FORGET)
            return stolen
        block = max(1, min(BLOCK, int(every * 1000)))
        read: Any = await redis.xreadgroup(
            GROUP, self._name, {self._key: ">"}, count=free, block=block
        )
        fresh = [_Job(id, fields[b"p"], 1) for _, items in read for id, fields in items]
        counts.begun += len(fresh)
        return fresh

    async def _steal(self, redis: Redis, most: int) -> list[_Job]:
        """What somebody began and left lying."""
        idle = int(self._terms.stalled * 1000)
        claimed: Any = await redis.xautoclaim(
            self._key, GROUP, self._name, idle, start_id=self._cursor, count=most
        )
        self._cursor = claimed[0]
        items = {id: fields for id, fields in claimed[1] if fields}
        if not items:
            return []
        mine: Any = await redis.xpending_range(
            self._key, GROUP, "-", "+", MOST_OWN, consumername=self._name
        )
        tries = {one["message_id"]: one["times_delivered"] for one in mine}
        return [_Job(id, fields[b"p"], tries.get(id, 1)) for id, fields in items.items()]

    async def _do(self, job: _Job, counts: Counts) -> None:
        try:
            if job.tries > self._terms.tries:
                await self._park(job, "whoever began it died or stalled, each time", counts)
                return
            try:
                async with asyncio.timeout(self._terms.timeout):
                    await self._handler(job.payload)
            except Exception as error:
                counts.failed += 1
                log.warning("job.failed", kind=self._kind, tries=job.tries, reason=repr(error))
                if job.tries >= self._terms.tries:
                    await self._park(job, repr(error), counts)
            else:
                await self._finish(job)
        except (RedisError, OSError) as error:
            log.warning("job.unfinished", kind=self._kind, reason=str(error))  # Done once more.
        finally:
            self._busy -= 1
            self._freed.set()

    async def _finish(self, job: _Job) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.xack(self._key, GROUP, job.id)
            pipe.xdel(self._key, job.id)
            await pipe.execute()

    async def _park(self, job: _Job, reason: str, counts: Counts) -> None:
        async with self._redis.pipeline() as pipe:
            fields: dict[Any, Any] = {"p": job.payload, "reason": reason}
            pipe.xadd(parked_key(self._key), fields, maxlen=MAX_PARKED)
            pipe.xack(self._key, GROUP, job.id)
            pipe.xdel(self._key, job.id)
            await pipe.execute()
        counts.parked += 1
        log.error("job.parked", kind=self._kind, reason=reason)
