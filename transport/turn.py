"""What is done once per turn of the loop by all who ask for it, at the cost of one callback.

A busy worker flushes many connections in a turn; this runs all of them from one `call_soon`.

What holds always: what was asked for runs exactly once, in the order of asking; one that raises
goes to the loop's exception handler and stops no other; what is asked for meanwhile waits for its
own turn. Nothing is kept between turns: who asks twice before it ran, runs twice.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakKeyDictionary

Do = Callable[[], None]


class Turn:
    """The turns of one event loop."""

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Turn]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)  # it must go when nobody else holds it, and this with it
        self._now: list[Do] = []
        self._next: list[Do] = []
        self._scheduled = False

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Turn:
        """The one of this loop."""
        turn = cls._all.get(loop)
        if turn is None:
            turn = cls._all[loop] = cls(loop)
        return turn

    def at_end(self, do: Do) -> None:
        """Do this when what the loop has ready now is done."""
        self._now.append(do)
        self._schedule()

    def one_later(self, do: Do) -> None:
        """Do this a turn later than that: after what was woken has run."""
        self._next.append(do)
        self._schedule()

    def _schedule(self) -> None:
        loop = self._loop()
        if not self._scheduled and loop is not None:
            self._scheduled = True
            loop.call_soon(self._run, loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        todo, self._now, self._next = self._now, self._next, []
        if self._now:
            self._schedule()
        for do in todo:
            try:
                do()
            except Exception as error:
                loop.call_exception_handler({"message": "a flush failed", "exception": error})
