"""A process watched over time: memory and CPU, every so often.

What holds always: watching ends with the block; a look that takes long makes the next one late.
May import: meter, house; report's record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from bench.load.house import House
from bench.load.meter import Usage
from bench.report import Series

MIB = 2**20
MAX_POINTS = 500
"""Points of a curve that is drawn."""


class Moment(Struct, frozen=True):
    """`cpu` is the share of one core since the moment before, `at` in seconds since the start."""

    at: float
    cpu: float
    usage: Usage


class Watch:
    """The moments so far."""

    def __init__(self, server: House, every: float) -> None:
        self.started = time.monotonic()
        self.moments: list[Moment] = []
        self._server = server
        self._every = every
        self._last = (self.started, server.usage().cpu)

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            self.look()

    def look(self) -> Moment:
        """Look now."""
        at, usage = time.monotonic(), self._server.usage()
        before, cpu = self._last
        self._last = (at, usage.cpu)
        moment = Moment(at - self.started, (usage.cpu - cpu) / max(1e-9, at - before), usage)
        self.moments.append(moment)
        return moment

    def memory(self) -> Series:
        """For a plot: MiB over seconds."""
        at = tuple(moment.at for moment in self.moments)
        return Series("memory", tuple(m.usage.pss / MIB for m in self.moments), at)

    def cpu(self) -> Series:
        """For a plot: % of a core over seconds."""
        at = tuple(moment.at for moment in self.moments)
        return Series("CPU", tuple(m.cpu * 100 for m in self.moments), at)


@asynccontextmanager
async def watching(server: House, every: float = 0.5) -> AsyncIterator[Watch]:
    """Watch until the block is left."""
    watch = Watch(server, every)
    task = asyncio.ensure_future(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        watch.look()


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that `share` of them do not exceed; None of nothing. They must be sorted."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ms(seconds: float | None) -> float | None:
    """For a table."""
    return None if seconds is None else seconds * 1000


def cdf(name: str, ordered: Sequence[float]) -> Series:
    """For a plot: the share of delays (sorted, seconds) that are at most so many ms."""
    many = len(ordered)
    ranks = sorted({round(i * (many - 1) / MAX_POINTS) for i in range(MAX_POINTS + 1)})
    return Series(
        name,
        tuple((rank + 1) / many for rank in ranks) if many else (),
        tuple(ordered[rank] * 1000 for rank in ranks) if many else (),
    )
