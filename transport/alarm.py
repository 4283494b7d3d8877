"""One timer per session, re-armed lazily: the one place that asks the event loop for the time.

A deadline that moves later, as every byte from the peer moves the heartbeat's, costs nothing: the
alarm goes off at the earlier time, finds nothing due, and is armed again by its owner.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `ring(now)` at the armed time or before it."""

    __slots__ = ("_handle", "_loop", "_ring", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[float], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._when = 0.0
        """What the handle is armed for. (uvloop's handles do not all know.)"""

    def arm(self, when: float | None) -> None:
        """Ring at `when`, unless it rings before that anyway. None asks for nothing."""
        if when is None:
            return
        if self._handle is not None:
            if self._when <= when:
                return
            self._handle.cancel()
        self._when = when
        self._handle = self._loop.call_at(when, self._go_off)

    def cancel(self) -> None:
        """Ring no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _go_off(self) -> None:
        self._handle = None
        # Loops round timers to their clock's tick and may be early by less than that. What was
        # due then must count as due now, or the loop would spin until the tick is over.
        self._ring(max(self._loop.time(), self._when))
