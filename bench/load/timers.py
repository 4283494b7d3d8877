"""One heap of deadlines for a process's sessions, instead of one timer of the loop for each.

What holds always: an owner has at most one live entry, its earliest; a deadline that moves later
costs nothing, because the owner is asked again when the old one comes.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol

GRAIN = 0.002
"""Seconds that deadlines may be late, so that those close together share one wake-up."""


class Owner(Protocol):
    """Who has deadlines. `armed` belongs to Timers: when its entry is due, 0.0 for none."""

    armed: float

    def tick(self, now: float) -> None:
        """The time has come, or may have: do what is due and arm again."""
        ...


class Timers:
    """Deadlines in monotonic seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Owner]] = []
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._next = 0.0

    def arm(self, owner: Owner, when: float | None) -> None:
        """Tick the owner at `when`, unless it is ticked before that anyway."""
        if when is None or (owner.armed and owner.armed <= when):
            return
        owner.armed = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, owner))
        self._schedule()

    def _schedule(self) -> None:
        if not self._heap:
            return
        first = self._heap[0][0]
        if self._handle is not None:
            if self._next <= first:
                return
            self._handle.cancel()
        self._next = first
        delay = max(GRAIN, first - time.monotonic())
        self._handle = self._loop.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = time.monotonic()
        due: list[Owner] = []
        while self._heap and self._heap[0][0] <= now:
            when, _, owner = heapq.heappop(self._heap)
            if owner.armed == when:  # else it was armed earlier meanwhile, and ticked then
                owner.armed = 0.0
                due.append(owner)
        for owner in due:
            owner.tick(now)
        self._schedule()
