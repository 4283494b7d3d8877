"""A backlog in Redis: one stream per region that is talked to.

What holds always: see the seam; a place is the item's id in the stream, so it also says when the
item was put in.
Bound: `bound` items, beyond which `put` takes nothing; the stream is never trimmed otherwise.
May import: backlog; storage's Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.region.backlog import BOUND, BacklogAway, Depth, Load, Waiting
from storage.redis import ANSWER, Redis, RedisError

PUT = """
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local taken = 0
for i = 2, #ARGV, 2 do
  if taken >= room then break end
  redis.call('XADD', KEYS[1], '*', 'k', ARGV[i], 'i', ARGV[i + 1])
  taken = taken + 1
end
return taken
"""
"""Adds to the stream KEYS[1], up to ARGV[1] items, what follows as pairs of key and item."""
LONGEST_WAIT = ANSWER / 2
"""Seconds that one command may block."""


class RedisBacklog:
    """See Backlog. `name` is that of the stream."""

    def __init__(self, redis: Redis, name: str, bound: int = BOUND) -> None:
        self._redis = redis
        self._name = name
        self._bound = bound

    async def put(self, loads: Sequence[Load]) -> int:
        """See Backlog. Given again after an answer that was lost, items may be in it twice."""
        arguments: list[Any] = [self._bound]
        for load in loads:
            arguments += (load.key, load.item)
        return int(await self._ask(self._redis.eval(PUT, 1, self._name, *arguments)))

    async def read(self, after: str, *, limit: int, wait: float = 0.0) -> list[Waiting]:
        """See Backlog."""
        streams: dict[Any, Any] = {self._name: after or "0"}
        block = round(min(wait, LONGEST_WAIT) * 1000) or None
        answer = await self._ask(self._redis.xread(streams, count=limit, block=block))
        return [
            Waiting(id.decode(), Load(fields[b"k"], fields[b"i"]))
            for _, items in answer or ()
            for id, fields in items
        ]

    async def done(self, places: Sequence[str]) -> None:
        """See Backlog."""
        if places:
            await self._ask(self._redis.xdel(self._name, *places))

    async def depth(self) -> Depth:
        """See Backlog."""
        items = int(await self._ask(self._redis.xlen(self._name)))
        first = await self._ask(self._redis.xrange(self._name, count=1))
        return Depth(items, int(first[0][0].partition(b"-")[0]) if first else None)

    async def _ask(self, answer: Any) -> Any:
        try:
            return await answer
        except (RedisError, OSError) as error:
            raise BacklogAway(f"the backlog cannot be reached: {error}") from error
