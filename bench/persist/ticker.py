"""A process that knocks when a message is due: `python -m bench.persist.ticker BEGIN RATE COUNT`.

A byte on standard output, as a message would come in by a socket. A process of its own, because a
timer of uvloop's is a millisecond coarse, and a thread would wait for the interpreter it shares
with what is measured. It knocks at most every GRID seconds; who is knocked at looks at the clock.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import os
import sys
import time

GRID = 0.00025


def tick(begin: float, rate: float, count: int) -> None:
    """Knock for the messages 0 to `count` - 1, of which number n is due at `begin` + n / `rate`."""
    number = 0
    while number < count:
        wait = begin + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        os.write(1, b".")
        now = max(time.monotonic(), begin + number / rate) + GRID
        number = max(number + 1, int((now - begin) * rate))


if __name__ == "__main__":
    try:
        tick(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    except BrokenPipeError:
        pass
