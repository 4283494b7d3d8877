"""When a pause between arrivals has become a lull that is worth a question. Pure.

Half a round trip is a lull. Where packets have come without one for RHYTHM seconds, less is: LULL
times the longest pause lately, for who speaks without a pause does not stop for nothing.

What holds always: nobody is asked about one lull more often than `asked` says, and what is heard
with nothing in it that wants an answer begins none, save in a rhythm; early questions are about two
lulls in EARLY_WITHIN seconds at most. Time is an argument.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import math

LULL = 2.0
"""Times the longest pause lately that a pause must last to be a lull."""
FADING = 0.98
"""What is left of that longest pause after each packet: a hundred packets forget it."""
QUICKEST = 0.02
"""Seconds that make a lull in a rhythm, at least."""
RHYTHM = 0.3
"""Seconds for which packets must have come without a lull. The copies of one message, which come
within a tenth of a second, are no rhythm."""
EARLY_WITHIN = 1.0
"""Seconds in which two lulls may be asked about that are shorter than half a round trip. Two, for
one may be a false alarm just before the other."""
AGAIN = 0.015
"""Seconds after which an early question is asked once more: a loss would go unnoticed too long."""


class Lull:
    """Of one connection. `ends` is when to ask if nothing is heard until then, or None; `early`
    whether that is before half a round trip has passed."""

    __slots__ = ("_early_at", "_last", "_pause", "_since", "_step", "_twice", "early", "ends")

    def __init__(self) -> None:
        self.ends: float | None = None
        self.early = False
        self._last = -math.inf
        self._since = math.inf
        """Since when packets have come without a lull."""
        self._pause = math.inf
        """The longest lately, …"""
        self._step = 0.0
        """… and the longest since then."""
        self._early_at = (-math.inf, -math.inf)
        self._twice = False

    def heard(self, now: float, half: float, longest: float, *, asks: bool) -> None:
        """A packet came, which asks for an answer or not. `half` is half a round trip, `longest`
        the longest pause that is to be waited for."""
        pause = now - self._last
        self._pause = min(longest, max(pause, FADING * self._pause))
        self._step = max(pause, FADING * self._step)
        if pause > half:
            self._since, self._step = now, 0.0
        self._last = now
        self._twice = False
        rhythm = now - self._since >= RHYTHM
        self.early = rhythm and now - self._early_at[0] >= EARLY_WITHIN
        if not (asks or rhythm):
            self.ends = None
        elif self.early:
            self.ends = now + max(QUICKEST, LULL * self._step)
        else:
            self.ends = now + max(half, LULL * self._pause)

    def asked(self, now: float) -> None:
        """The question was asked."""
        if not self.early or self._twice:
            self.ends = None
            return
        self._twice = True
        self._early_at = self._early_at[1], now
        self.ends = now + AGAIN
