"""A hierarchical timing wheel: any number of timers at the cost of one. No clock of its own.

    level 0   256 slots of 1 tick (1 ms)     what is due within a quarter of a second
    level 1   256 slots of 256 ticks         within 65 s
    level 2   256 slots of 65,536 ticks      within 4.6 h; later is looked at again then

What holds always: setting, moving and cancelling a timer touch two slots, however many timers there
are; a timer is never early, and late by at most a tick and a 64th of what it had to wait, nor ever
more than MAX_LATE (the further away, the coarser, so that heartbeats fall due in groups); timers
of one tick fall due in the order in which they were set. The wheel holds at most one entry for each
timer of its owners, and slots that never grow in number.

Times are seconds on any monotonic clock, given by the caller. May import: nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import ceil, floor
from typing import Generic, TypeVar

TICK = 0.001
"""Seconds. Loops do not count finer either."""
BITS = 8
SLOTS = 1 << BITS
LEVELS = 3
HORIZON = (1 << BITS * LEVELS) - SLOTS ** (LEVELS - 1)
"""Ticks ahead that the wheel can hold; what is later waits there and is looked at again."""
MAX_LATE = SLOTS * TICK
"""Seconds by which a timer may be late, at most, beyond one tick."""

_ALL = (1 << SLOTS) - 1
_FRACTION = 6
"""A timer may be late by 1 / 2**6 of what it waits."""


class Timer:
    """Something that falls due. It is in at most one wheel, at most once."""

    __slots__ = ("_due", "_slot")

    def __init__(self) -> None:
        self._due = 0
        self._slot: int | None = None

    @property
    def armed(self) -> bool:
        """Whether it waits in a wheel."""
        return self._slot is not None


T = TypeVar("T", bound=Timer)


class Wheel(Generic[T]):
    """Timers, and what time it was when they were last looked at."""

    __slots__ = ("_levels", "_now", "_size", "_used")

    def __init__(self, now: float) -> None:
        self._now = floor(now / TICK)
        self._levels: list[list[dict[T, None]]] = [
            [{} for _ in range(SLOTS)] for _ in range(LEVELS)
        ]
        self._used = [0] * LEVELS
        """One bit for each slot that is not empty."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def set(self, timer: T, when: float, now: float) -> None:
        """Let it fall due at `when` and not before; whatever it was set for is forgotten."""
        self.cancel(timer)
        due = ceil(when / TICK)
        waits = min(due - floor(now / TICK) >> _FRACTION, SLOTS)
        if waits > 1:  # up to the next multiple of a power of two
            grain = 1 << waits.bit_length() - 1
            due = -(-due // grain) * grain
        # The present tick may be falling due right now: what is set meanwhile waits for the next.
        timer._due = max(due, self._now + 1)
        self._put(timer)
        self._size += 1

    def cancel(self, timer: T) -> None:
        """Let it not fall due."""
        if timer._slot is None:
            return
        level, slot = divmod(timer._slot, SLOTS)
        timers = self._levels[level][slot]
        del timers[timer]
        if not timers:
            self._used[level] &= ~(1 << slot)
        timer._slot = None
        self._size -= 1

    def next(self) -> float | None:
        """When to come back: something is due then, or has to be looked at more closely."""
        tick = self._next_tick()
        return None if tick is None else tick * TICK

    def expire(self, now: float) -> Generator[T, None, None]:
        """Those due by `now`, each taken out of the wheel before it is handed over. The caller may
        set and cancel timers meanwhile, and may stop in the middle."""
        until = floor(now / TICK + 1e-6)  # a time that `next` gave must count as reached
        while (tick := self._next_tick()) is not None and tick <= until:
            self._now = max(self._now, tick)
            yield from self._reach(tick)
        self._now = max(self._now, until)

    def _reach(self, tick: int) -> Iterator[T]:
        for level in range(LEVELS - 1, 0, -1):
            if tick % SLOTS**level == 0:
                self._spread(level, (tick >> BITS * level) % SLOTS)
        slot = tick % SLOTS
        timers = self._levels[0][slot]
        while timers:
            timer = next(iter(timers))
            self.cancel(timer)
            yield timer

    def _spread(self, level: int, slot: int) -> None:
        timers = self._levels[level][slot]
        if timers:
            self._levels[level][slot] = {}
            self._used[level] &= ~(1 << slot)
            for timer in timers:
                self._put(timer)

    def _put(self, timer: T) -> None:
        ahead = min(timer._due - self._now, HORIZON)
        due = self._now + ahead
        level = 0 if ahead < SLOTS else 1 if ahead < SLOTS * SLOTS else 2
        slot = (due >> BITS * level) % SLOTS
        self._levels[level][slot][timer] = None
        self._used[level] |= 1 << slot
        timer._slot = level * SLOTS + slot

    def _next_tick(self) -> int | None:
        found: int | None = None
        for level, used in enumerate(self._used):
            if used:
                # The slot of the present is a whole turn away, except on the finest level.
                here = (self._now >> BITS * level) + (1 if level else 0)
                first = here % SLOTS
                turned = (used >> first | used << SLOTS - first) & _ALL
                tick = here + (turned & -turned).bit_length() - 1 << BITS * level
                found = tick if found is None else min(found, tick)
        return found
