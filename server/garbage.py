"""When a process of a server collects cyclic garbage: seldom, because that stops everybody.

CPython looks at all objects there are whenever a quarter more have lived a while: with 6,000
sessions every few seconds and for most of a second each time, with 50,000 for seconds. But a
session that ends is freed by itself (tests/transport/test_freed.py), so there is little to find:

- what was there before the first session is never looked at again (`gc.freeze`);
- young objects are looked at in pieces of YOUNG and of YOUNG * MIDDLE: milliseconds;
- all of them only when the young ones that stayed could make up a HALF of those that are there: the
  memory that garbage can take is bounded, and a steady crowd of sessions never causes it.

What holds always: leaving the block leaves the collector as it was.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

YOUNG = 2_000
"""Objects that were made and not freed between two looks at the youngest."""
MIDDLE = 20
"""Looks at the youngest between two looks at those that outlived one."""
HALF = 0.5
"""The share of objects that may be new before all are looked at."""
LEAST = 250_000
"""New objects under which it is never worth it."""
LOOK = 5.0
"""Seconds between two thoughts about it."""
_NEVER = 1 << 30
_OBJECTS = 0.5
"""Objects that the collector knows for each block of memory: the others are strings, numbers."""


@asynccontextmanager
async def seldom(paused: Callable[[float], None]) -> AsyncIterator[None]:
    """Collect as said above until the block is left; `paused` is told the seconds of each pause
    that stopped everybody."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, _NEVER)
    tending = asyncio.ensure_future(_tend(paused))
    try:
        yield
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        gc.set_threshold(*before)
        gc.unfreeze()


def due(stayed: int, blocks: int) -> bool:
    """Whether all objects are to be looked at: `stayed` may be new, of so many blocks of memory."""
    return stayed >= max(LEAST, HALF * _OBJECTS * blocks)


async def _tend(paused: Callable[[float], None]) -> None:
    while True:
        await asyncio.sleep(LOOK)
        # Looks at the middle ones since the last at all: each let at most so many stay.
        if due(gc.get_count()[2] * YOUNG * MIDDLE, sys.getallocatedblocks()):
            started = time.perf_counter()
            gc.collect()
            paused(time.perf_counter() - started)
