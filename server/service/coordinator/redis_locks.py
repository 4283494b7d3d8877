"""Locks that the processes of a region share, in Redis.

A key per segment, with the holder and the end of its lease; and one key with the count of tokens
and the epoch in which it is, which so can only be lost together (Redis may evict any key).

How a token never goes back though Redis may forget. Redis can lose everything (FLUSHALL, a restart
without its files) or its last second (a restart from its files, a replica that took over). So the
epoch names the run that it was set for (redis_run.py): in another run, or without an epoch, no lock
is given out. Whoever finds it so sets an epoch, in three steps:

 1. put a mark of one's own, with the run, where the others' marks are put;
 2. draw the next epoch from the journal, which is on disk and never gives one twice;
 3. set it, if the mark is still one's own, the run is still that one, and no epoch is set.

Let y be set after x. y's mark was put after x was set: had it been there before, either x's mark
was no longer there and x was not set, or x's mark was put over it and y was not set. So y was drawn
from the journal after x, and is higher. Forgetting changes nothing about that: a mark is forgotten
with the epoch, and one that comes back from a file or a replica names a run that is over. All three
steps, and every other one here, are one script each, which Redis runs alone.

A lock that is held when Redis forgets has two holders for a while. The second one's token is
higher, whatever the first one is still about to do.
May import: base, locks, redis_run; storage's journal and Redis.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from server.service.coordinator.base import Lease, LockUnavailable
from server.service.coordinator.locks import EPOCH, NAME, token
from server.service.coordinator.redis_run import RUN
from storage.base import Journal, StorageError
from storage.redis import Redis, RedisError

# KEYS: epoch, lock. ARGV: owner, milliseconds, tokens of an epoch.
ACQUIRE = (
    RUN
    + """
local epoch = redis.call('HMGET', KEYS[1], 'run', 'epoch')
if epoch[1] ~= run or not epoch[2] then return {'no epoch'} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'held'} end
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
if count >= tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], 'epoch', 'count')
    return {'no epoch'}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'taken', epoch[2], count}
"""
)
# KEYS: epoch. ARGV: mark.
MARK = RUN + "redis.call('HSET', KEYS[1], 'mark', ARGV[1] .. run)"
# KEYS: epoch. ARGV: mark, epoch.
SET = (
    RUN
    + """
local at = redis.call('HMGET', KEYS[1], 'mark', 'run', 'epoch')
if at[1] ~= ARGV[1] .. run or (at[2] == run and at[3]) then return end
redis.call('HSET', KEYS[1], 'run', run, 'epoch', ARGV[2])
"""
)
# KEYS: lock. ARGV: owner, milliseconds.
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
ATTEMPTS = 8
"""How often an epoch is tried to be set before the locks count as unavailable."""


class RedisLocks:
    """See Locks. `redis` answers in bytes; `prefix` is what this server's keys begin with."""

    def __init__(self, redis: Redis, journal: Journal, prefix: str) -> None:
        self._journal = journal
        # The braces keep the keys on one node of a cluster.
        self._prefix = f"{prefix}{{locks}}:"
        self._acquire = redis.register_script(ACQUIRE)
        self._mark = redis.register_script(MARK)
        self._set = redis.register_script(SET)
        self._renew = redis.register_script(RENEW)
        self._release = redis.register_script(RELEASE)

    async def acquire(self, segment: int, *, seconds: float) -> Lease | None:
        """See Locks. An answer that got lost leaves a lock that nobody knows of until it ends."""
        owner = uuid4().hex
        keys = [self._prefix + "epoch", self._lock(segment)]
        for _ in range(ATTEMPTS):
            said = await self._run(self._acquire, keys, [owner, _ms(seconds), EPOCH])
            if said[0] == b"taken":
                return Lease(segment, token(int(said[1]), int(said[2])), owner)
            if said[0] == b"held":
                return None
            await self._begin_epoch()
        raise LockUnavailable("Redis forgets its epochs faster than they are set")

    async def renew(self, lease: Lease, *, seconds: float) -> bool:
        """See Locks."""
        keys = [self._lock(lease.segment)]
        return bool(await self._run(self._renew, keys, [lease.owner, _ms(seconds)]))

    async def release(self, lease: Lease) -> bool:
        """See Locks."""
        return bool(await self._run(self._release, [self._lock(lease.segment)], [lease.owner]))

    async def _begin_epoch(self) -> None:
        mark, keys = uuid4().hex, [self._prefix + "epoch"]
        await self._run(self._mark, keys, [mark])
        try:
            epoch = await self._journal.next_epoch(NAME)
        except StorageError as error:
            raise LockUnavailable(f"no epoch for the locks: {error}") from error
        await self._run(self._set, keys, [mark, epoch])

    def _lock(self, segment: int) -> str:
        return f"{self._prefix}lock:{segment}"

    async def _run(self, script: Any, keys: list[str], args: list[str | int]) -> Any:
        try:
            return await script(keys=keys, args=args)
        except RedisError as error:
            raise LockUnavailable(f"Redis, which keeps the locks: {error}") from error


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
