"""Token buckets: how often somebody may do something. Time is an argument.

What holds always: over any stretch of `t` seconds a bucket lets at most `burst + per_second * t`
through; a keyed set of buckets holds at most MAX_KEYS of them and forgets the least recently used,
which can only make it more lenient.
May import: nothing above.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

MAX_KEYS = 10_000
"""Buckets that a keyed set remembers."""


class Rate(NamedTuple):
    """So many a second in the long run, so many at once."""

    per_second: float
    burst: int


class Bucket:
    """One bucket, full at the start. Times are seconds on any monotonic clock."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, now: float) -> float:
        """Take one token: 0.0, or the seconds until there is one (then nothing is taken)."""
        gained = max(0.0, now - self._at) * self.rate.per_second
        self._tokens = min(float(self.rate.burst), self._tokens + gained)
        self._at = max(now, self._at)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.rate.per_second

    def give_back(self) -> None:
        """Undo one `take`: what it was for does not count."""
        self._tokens = min(float(self.rate.burst), self._tokens + 1.0)


class Buckets:
    """A bucket per key: per address, per e-mail."""

    def __init__(self, rate: Rate, max_keys: int = MAX_KEYS) -> None:
        self._rate = rate
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """Take one token of `key`: 0.0, or the seconds until there is one."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, now)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(now)

    def give_back(self, key: str) -> None:
        """Undo one `take` of `key`."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.give_back()
