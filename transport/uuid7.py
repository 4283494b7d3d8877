"""UUIDs of version 7 (RFC 9562 section 5.7), which Python has only from 3.14 on.

What holds always: those made by one `Uuid7` rise strictly, even when the clock stands or goes back.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID


class Uuid7:
    """Makes UUIDs. `clock` gives Unix milliseconds, `random` that many random bytes."""

    def __init__(
        self,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._random = random
        self._last = 0
        """The last one's 48 bits of time and 12 bits after them, as one number (method 3)."""

    def __call__(self) -> UUID:
        seed = int.from_bytes(self._random(10))
        # Half of the 12 bits' range at random, so that a burst within one ms has room to count up.
        self._last = max(self._last + 1, self._clock() << 12 | seed >> 64 & 0x7FF)
        time_high, rand_a = self._last >> 12, self._last & 0xFFF
        rand_b = seed & ((1 << 62) - 1)
        return UUID(int=time_high << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


uuid7 = Uuid7()
"""The process's own source."""
