"""A hybrid logical clock: times that never go back, also not from cause to effect across regions.

A shop's name, say, may be changed in two regions. The later change must win, and "later" cannot be
left to two wall clocks that differ by a minute: who has seen a change and changes it again must
win, however slow their clock is. So every version is a time in milliseconds with a counter, ahead
of everything that was seen. (Kulkarni, Demirbas et al., "Logical Physical Clocks", OPODIS 2014.)

What holds always: each version is greater than all that this clock gave out or was shown; it is
at most AHEAD milliseconds before the wall clock, unless that went back: a version from further in
the future is refused, as it would make every later change of ours lose.
May import: nothing.
"""

from __future__ import annotations

from collections.abc import Callable

COUNTER_BITS = 16
"""A version is milliseconds * 2**16 + a counter: 63 bits until the year 6429."""
AHEAD = 300_000
"""Milliseconds that another region's clock may be ahead of ours."""


class ClockSkew(Exception):
    """A version that is further in the future than clocks may differ."""


class HybridClock:
    """`now` gives Unix milliseconds."""

    def __init__(self, now: Callable[[], int], last: int = 0) -> None:
        self._now = now
        self._last = last

    def tick(self) -> int:
        """The version of a change made here and now."""
        self._last = max(self._now() << COUNTER_BITS, self._last + 1)
        return self._last

    def seen(self, version: int) -> None:
        """Note a version from elsewhere. Raises ClockSkew when it cannot be right."""
        ahead = milliseconds(version) - self._now()
        if ahead > AHEAD:
            raise ClockSkew(
                f"a change is dated {ahead / 1000:.0f} s in the future; set the clocks of both "
                "regions right (NTP)"
            )
        self._last = max(self._last, version)


def milliseconds(version: int) -> int:
    """About when that was, in Unix milliseconds."""
    return version >> COUNTER_BITS
