"""What all lanes did together: the lanes of the sessions that live, and of those that have ended.

Counting a hundred thousand sessions takes a good part of a second, so a census lets the loop have
its turn after every CHUNK of them.

What holds always: no counter ever goes down from one census to the next, whoever ends meanwhile: a
session is counted among the ended or, through the whole census, among the living; one census is
under way at a time.
May import: the counters of transport.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable
from operator import add, attrgetter

from msgspec import Struct

from transport.wire.hedge import MAX_COPIES
from transport.wire.lane import Counters

LANE = (
    "frames_sent",
    "frames_received",
    "datagrams_sent",
    "datagrams_received",
    "first_by_datagram",
    "duplicates",
    "dropped",
    "copies_unpaid",
    "reports_sent",
    "reports_received",
)
"""The counters of the lane that are shown as they are."""
HEDGE = ("sent", "useful", "wasted")
"""What became of our datagram copies: the lane's counters `copies_…`."""
COUNTED = (*LANE, *(f"copies_{result}" for result in HEDGE))
LOSS_BOUNDS = (0.003, 0.01, 0.03, 0.1, 1.0)
"""Upper bounds of the loss that live sessions see; the first is what the lane takes as clean."""
CHUNK = 500
"""Sessions that are counted in one turn of the loop: about a millisecond."""

_numbers: Callable[[Counters], Iterable[int]] = attrgetter(*COUNTED)


class Count(Struct, frozen=True):
    """The outcome: a total for each name of COUNTED. Of the living sessions with datagrams: how
    many see at most each of LOSS_BOUNDS, and by copies of a frame, from one to MAX_COPIES."""

    total: dict[str, int]
    loss: list[int]
    plans: list[int]


class Census:
    """Counts the lanes."""

    def __init__(self) -> None:
        self.live: Callable[[], Iterable[Counters]] = tuple
        """Where the counters of those who live are found."""
        self._past = [0] * len(COUNTED)
        self._counting = asyncio.Lock()

    def ended(self, counters: Counters) -> None:
        """A session is over; `live` finds it no more."""
        self._past = list(map(add, self._past, _numbers(counters)))

    async def take(self) -> Count:
        """Count everybody."""
        async with self._counting:
            # Both at one moment: who ends from here on is counted among the living.
            living, total = list(self.live()), self._past
            loss, plans = [0] * len(LOSS_BOUNDS), [0] * MAX_COPIES
            for start in range(0, len(living), CHUNK):
                for counters in living[start : start + CHUNK]:
                    total = list(map(add, total, _numbers(counters)))
                    if counters.copies:
                        plans[counters.copies - 1] += 1
                        for place in range(bisect_left(LOSS_BOUNDS, counters.loss), len(loss)):
                            loss[place] += 1
                await asyncio.sleep(0)
        return Count(dict(zip(COUNTED, total, strict=True)), loss, plans)
