"""How long to wait before the next attempt: longer each time, never the same for everybody.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from random import Random

FIRST = 0.25
"""Seconds that the first wait lasts at most."""
LONGEST = 30.0
"""Seconds that any wait lasts at most."""


class Backoff:
    """Waits double from FIRST to `longest`; each is drawn between half and all of its bound."""

    def __init__(self, random: Random, longest: float = LONGEST) -> None:
        self._random = random
        self._bound = FIRST
        self._longest = longest

    def next(self) -> float:
        """Seconds to wait now."""
        bound = self._bound
        self._bound = min(self._longest, bound * 2)
        return self._random.uniform(bound / 2, bound)

    def reset(self) -> None:
        """It worked: begin anew."""
        self._bound = FIRST
