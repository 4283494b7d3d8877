"""The load that the processes of a region share, in Redis: one hash per agent.

    h:<conversation>  up to which seq it is held
    k:<conversation>  the transaction that keeps it
    t:<conversation>  the lowest token with which it may be kept
    complete          the run of the server in which the load was made complete
    mark              whose restoring is under way, and in which run it began

Redis may lose all of it, or its last second (redis_locks.py tells how). A load that was lost is not
there, and one from another run (redis_run.py) does not count as complete; a mark that was lost, or
is from another run, restores nothing.

While a replica takes over, the old master may go on for a moment, with workers that have not
noticed, and give the same place away there: so on a master that was promoted no load is complete
before SETTLE seconds have passed. Named assumption: nobody talks to an old master longer than that.

Redis compares numbers as doubles: a token is exact up to 2**53, which are two million epochs.
May import: load, redis_run; storage's Redis.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from server.service.coordinator.load import LIFETIME, Given, LoadUnavailable, Taken
from server.service.coordinator.redis_run import RUN
from storage.redis import Redis, RedisError

_AGE = """
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
"""
SETTLE = 10.0
"""Seconds for which a master that was promoted gives no place."""

# In all of them KEYS[1] is the agent's load and ARGV[1] its lifetime in milliseconds.
# KEYS[2] is what the names of keys begin with that say since when a run is known.

# ARGV: -, conversation, transaction, capacity, token.
KEEP = (
    RUN
    + """
local mine = 'k:' .. ARGV[2]
local at = redis.call('HMGET', KEYS[1], 't:' .. ARGV[2], 'complete', 'h:' .. ARGV[2], mine)
if at[1] and tonumber(ARGV[5]) < tonumber(at[1]) then return 'fenced' end
if at[2] ~= run then return 'incomplete' end
if not at[3] then
    local others, count = {}, 0
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        local what, conversation = string.match(field, '^([hk]):(.*)$')
        if what and conversation ~= ARGV[2] and not others[conversation] then
            others[conversation] = true
            count = count + 1
        end
    end
    if count >= tonumber(ARGV[4]) then
        if at[4] == ARGV[3] then redis.call('HDEL', KEYS[1], mine) end
        return 'full'
    end
end
redis.call('HSET', KEYS[1], 't:' .. ARGV[2], ARGV[5], mine, ARGV[3])
return 'kept'
"""
)
# ARGV: -, conversation, transaction, lowest token from now on.
DROP = (
    """
local lowest = redis.call('HGET', KEYS[1], 't:' .. ARGV[2])
if not lowest or tonumber(lowest) < tonumber(ARGV[4]) then
    redis.call('HSET', KEYS[1], 't:' .. ARGV[2], ARGV[4])
end
if redis.call('HGET', KEYS[1], 'k:' .. ARGV[2]) == ARGV[3] then
    redis.call('HDEL', KEYS[1], 'k:' .. ARGV[2])
end
"""
    + _AGE
)
# ARGV: -, conversation, seq.
HOLD = (
    """
local seq = redis.call('HGET', KEYS[1], 'h:' .. ARGV[2])
if not seq or tonumber(seq) < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'h:' .. ARGV[2], ARGV[3])
end
"""
    + _AGE
)
LEAVE = """
local seq = redis.call('HGET', KEYS[1], 'h:' .. ARGV[2])
if seq and tonumber(seq) <= tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], 'h:' .. ARGV[2])
end
"""
# ARGV: -, mark.
MARK = (
    RUN
    + """
redis.call('SET', KEYS[2] .. run, redis.call('TIME')[1], 'NX', 'EX', 2592000)
local mark = redis.call('HGET', KEYS[1], 'mark')
if not mark or string.sub(mark, -#run) ~= run then
    mark = ARGV[2] .. run
    redis.call('HSET', KEYS[1], 'mark', mark)
end
"""
    + _AGE
    + "return mark"
)
# ARGV: -, mark, seconds to settle, how many are held, (conversation, seq)…,
# (conversation, transaction)…
RESTORE = (
    RUN
    + """
if redis.call('HGET', KEYS[1], 'mark') ~= ARGV[2] or string.sub(ARGV[2], -#run) ~= run then
    return 0
end
if promoted then
    local born = redis.call('GET', KEYS[2] .. run)
    if not born or redis.call('TIME')[1] - born < tonumber(ARGV[3]) then return 0 end
end
local last = 4 + 2 * tonumber(ARGV[4])
for i = 5, last, 2 do
    local seq = redis.call('HGET', KEYS[1], 'h:' .. ARGV[i])
    if not seq or tonumber(seq) < tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[1], 'h:' .. ARGV[i], ARGV[i + 1])
    end
end
for i = last + 1, #ARGV, 2 do
    redis.call('HSETNX', KEYS[1], 'k:' .. ARGV[i], ARGV[i + 1])
end
redis.call('HDEL', KEYS[1], 'mark')
redis.call('HSET', KEYS[1], 'complete', run)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
)


class RedisLoad:
    """See Load. `redis` answers in bytes; `prefix` is what this server's keys begin with."""

    def __init__(
        self, redis: Redis, prefix: str, lifetime: float = LIFETIME, settle: float = SETTLE
    ) -> None:
        self._redis = redis
        self._settle = str(settle)
        self._prefix = prefix + "load:"
        self._lifetime = round(lifetime * 1000)
        self._keep = redis.register_script(KEEP)
        self._drop = redis.register_script(DROP)
        self._hold = redis.register_script(HOLD)
        self._leave = redis.register_script(LEAVE)
        self._mark = redis.register_script(MARK)
        self._restore = redis.register_script(RESTORE)

    async def keep(
        self, agent: UUID, conversation: UUID, transaction: UUID, *, capacity: int, token: int
    ) -> Given:
        """See Load."""
        said = await self._run(
            self._keep, agent, conversation.hex, transaction.hex, capacity, token
        )
        return Given(said.decode())

    async def drop(self, agent: UUID, conversation: UUID, transaction: UUID, *, token: int) -> None:
        """See Load."""
        await self._run(self._drop, agent, conversation.hex, transaction.hex, token + 1)

    async def hold(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        await self._run(self._hold, agent, conversation.hex, seq)

    async def leave(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        await self._run(self._leave, agent, conversation.hex, seq)

    async def taken(self, agent: UUID) -> Taken:
        """See Load."""
        try:
            fields: Any = await self._redis.hgetall(self._prefix + agent.hex)
        except RedisError as error:
            raise _unavailable(error) from error
        held = {_id(name): int(seq) for name, seq in fields.items() if name.startswith(b"h:")}
        kept = {_id(name): _uuid(who) for name, who in fields.items() if name.startswith(b"k:")}
        return Taken(held, kept)

    async def prepare_restore(self, agent: UUID) -> str:
        """See Load."""
        mark: bytes = await self._run(self._mark, agent, uuid4().hex)
        return mark.decode()

    async def restore(self, agent: UUID, mark: str, taken: Taken) -> bool:
        """See Load."""
        pairs: list[str | int] = []
        for conversation, seq in taken.held.items():
            pairs += conversation.hex, seq
        for conversation, transaction in taken.kept.items():
            pairs += conversation.hex, transaction.hex
        held = len(taken.held)
        return bool(await self._run(self._restore, agent, mark, self._settle, held, *pairs))

    async def _run(self, script: Any, agent: UUID, *args: str | int) -> Any:
        try:
            keys = [self._prefix + agent.hex, self._prefix + "born:"]
            return await script(keys=keys, args=[self._lifetime, *args])
        except RedisError as error:
            raise _unavailable(error) from error


def _unavailable(error: RedisError) -> LoadUnavailable:
    return LoadUnavailable(f"Redis, which keeps the loads: {error}")


def _id(field: bytes) -> UUID:
    return _uuid(field[2:])


def _uuid(text: bytes) -> UUID:
    return UUID(text.decode())
