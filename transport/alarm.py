"""Alarms of everything that lives on an event loop, on one timing wheel and one timer of the loop.

A deadline that moves later, as every byte from the peer moves the heartbeat's, costs nothing: the
alarm goes off at the earlier time, finds nothing due, and is armed again by its owner.

What holds always: an alarm rings once for each time it is armed, never early by the loop's clock;
of many that are due at once only as many ring in one turn of the loop as a SPELL has room for, so
that packets get theirs: what a loss timer waits for may already be there, unread, and a server that
probes before it reads makes itself the traffic in which it drowns; one whose `ring` raises goes to
the loop's exception handler and stops no other.

May import: wheel.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakKeyDictionary

from transport.wheel import Timer, Wheel

SPELL = 0.001
"""Seconds in which alarms ring in one turn of the loop. The others wait for the next turn: a turn
reads up to 32 packets, which takes several times as long."""


class Alarm(Timer):
    """Calls `ring(now)` at the armed time or soon after it."""

    __slots__ = ("_alarms", "_ring", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[float], None]) -> None:
        super().__init__()
        self._alarms = _Alarms.of(loop)
        self._ring = ring
        self._when = 0.0

    def arm(self, when: float | None) -> None:
        """Ring at `when`, unless it rings before that anyway. None asks for nothing."""
        if when is None or (self.armed and self._when <= when):
            return
        self._when = when
        self._alarms.set(self, when)

    def cancel(self) -> None:
        """Ring no more."""
        self._alarms.wheel.cancel(self)

    def close(self) -> None:
        """Ring never again, and let go of whom it would have told."""
        self.cancel()
        self._ring = _nobody

    def go_off(self, now: float) -> None:
        """The time has come. (For the wheel's owner only.)"""
        # Loops round timers to their clock's tick and may be early by less than that. What was
        # due then must count as due now, or the loop would spin until the tick is over.
        self._ring(max(now, self._when))


def _nobody(_: float) -> None:
    pass


class _Alarms:
    """The wheel of one event loop, and the one timer that turns it."""

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, _Alarms]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wheel: Wheel[Alarm] = Wheel(loop.time())
        self._loop = weakref.ref(loop)  # it must go when nobody else holds it, and this with it
        self._handle: asyncio.Handle | None = None
        self._wakes_at = 0.0
        self._waking = False

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> _Alarms:
        alarms = cls._all.get(loop)
        if alarms is None:
            alarms = cls._all[loop] = cls(loop)
        return alarms

    def set(self, alarm: Alarm, when: float) -> None:
        loop = self._loop()
        assert loop is not None  # the alarm's owner runs on it
        self.wheel.set(alarm, when, loop.time())
        if not self._waking and (self._handle is None or when < self._wakes_at):
            self._sleep(loop)

    def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        wakes_at = self.wheel.next()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if wakes_at is not None:
            self._wakes_at = wakes_at
            self._handle = loop.call_at(wakes_at, self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = None
        self._waking = True
        more = self._ring(loop, max(loop.time(), self._wakes_at))
        self._waking = False
        if more:
            self._handle = loop.call_soon(self._wake, loop)
        else:
            self._sleep(loop)

    def _ring(self, loop: asyncio.AbstractEventLoop, now: float) -> bool:
        """Ring those that are due; whether there may be more of them."""
        until = time.perf_counter() + SPELL
        with contextlib.closing(self.wheel.expire(now)) as due:
            for alarm in due:
                try:
                    alarm.go_off(now)
                except Exception as error:
                    loop.call_exception_handler({"message": "an alarm failed", "exception": error})
                if time.perf_counter() >= until:
                    return True
        return False
