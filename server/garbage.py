"""When a process of a server collects cyclic garbage: in pieces, because that stops everybody.

CPython looks at all objects there are whenever a quarter more have lived a while: with 6,000
sessions every few seconds and for most of a second each time, with 50,000 for several seconds. But
a session that ends is freed by itself (tests/transport/test_freed.py), so there is little to find:

- young objects are looked at by CPython in lots of YOUNG and of YOUNG * MIDDLE: milliseconds;
- those that outlived both are looked at once more when they are a PIECE, and never again: they are
  frozen, as is what was there before the first session. They are still freed when nobody refers to
  them; only those that refer to each other would stay;
- so in a process with few objects, at most SMALL, all are looked at every WHOLE seconds.

What holds always: a pause looks at a PIECE and what was made in LOOK seconds, or at SMALL, however
many sessions there are; leaving the block leaves the collector as it was.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

YOUNG = 2_000
"""Objects that were made and not freed between two looks at the youngest."""
MIDDLE = 20
"""Looks at the youngest between two looks at those that outlived one."""
PIECE = 5 * YOUNG * MIDDLE
"""Objects that outlived both, at most, before they are looked at: some tens of milliseconds."""
SMALL = 500_000
"""Objects of a process in which all may be looked at. A server without sessions has half of it."""
WHOLE = 600.0
"""Seconds between two looks at all of them."""
LOOK = 1.0
"""Seconds between two thoughts about it."""
_NEVER = 1 << 30


@asynccontextmanager
async def in_pieces(paused: Callable[[float], None]) -> AsyncIterator[None]:
    """Collect as said above until the block is left; `paused` is told the seconds of each pause."""
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


async def _tend(paused: Callable[[float], None]) -> None:
    whole = time.monotonic() + WHOLE
    while True:
        await asyncio.sleep(LOOK)
        all_of_them = time.monotonic() >= whole
        if all_of_them:
            whole = time.monotonic() + WHOLE
            all_of_them = gc.get_freeze_count() <= SMALL
        # Looks at the middle ones since the last at all: each let at most so many stay.
        if all_of_them or gc.get_count()[2] * YOUNG * MIDDLE >= PIECE:
            paused(_look(all_of_them))


def _look(all_of_them: bool) -> float:
    """Look at what is not frozen, or at all, and freeze what is left; how long that took."""
    started = time.perf_counter()
    if all_of_them:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    return time.perf_counter() - started
