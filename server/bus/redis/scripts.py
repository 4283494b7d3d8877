"""What Redis does for the bus in one step, in Lua; and how a topic's stream is numbered.

The id of an item is `<milliseconds>-<number>`: Redis's time, and a number that goes up by one from
item to item. So every reader sees at once when an item is missing, whoever published it, and how
old an item is. The number begins at 1 with the stream.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from msgspec import Struct

FIELD = b"e"
"""The one field of an item."""

APPEND = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ms, number = {}, {}
for i = 2, #KEYS do
  ms[i], number[i] = now, 0
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  if newest then
    local a, b = string.match(newest[1], '(%d+)-(%d+)')
    ms[i], number[i] = math.max(now, tonumber(a)), tonumber(b)
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
for j = 6, #ARGV, 2 do
  local i = tonumber(ARGV[j])
  number[i] = number[i] + 1
  local id = string.format('%.0f-%.0f', ms[i], number[i])
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', ARGV[3], id, 'e', ARGV[j + 1])
end
for i = 2, #KEYS do
  redis.call('XTRIM', KEYS[i], 'MINID', '~', string.format('%.0f', now - ARGV[4] * 1000))
  redis.call('EXPIRE', KEYS[i], ARGV[5])
end
return 1
"""
"""Adds a batch to the streams KEYS[2..], unless it is there already: KEYS[1] holds the number of
the publisher's last batch, so that one whose answer was lost may be given again.

ARGV: the batch's number, the seconds that this number is kept; at most so many items and seconds of
items in a stream; the seconds until a silent stream is deleted; then for each item the index of its
stream among KEYS, and the item.
"""

NEWEST = """
local ids = {}
for i = 1, #KEYS do
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  ids[i] = newest and newest[1] or '0-0'
end
return ids
"""
"""The ids of the newest items of KEYS."""


class Place(Struct, frozen=True):
    """A position in a stream."""

    ms: int
    number: int

    @classmethod
    def parse(cls, id: bytes) -> Place:
        """Out of an item's id."""
        ms, _, number = id.partition(b"-")
        return cls(int(ms), int(number))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"


class Keys(Struct, frozen=True):
    """The names of the bus's keys."""

    prefix: str

    def topic(self, topic: str) -> str:
        """The stream of a topic."""
        return f"{self.prefix}bus:topic:{topic}"

    def batch(self, publisher: str) -> str:
        """The number of a publisher's last batch."""
        return f"{self.prefix}bus:batch:{publisher}"

    def beat(self, reader: str) -> str:
        """The stream that wakes a reader."""
        return f"{self.prefix}bus:beat:{reader}"
