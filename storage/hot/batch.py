"""Many askers, one round trip: what is asked while a call is under way goes together into the next.

What holds always:
- askers are resumed in the order in which they asked, whether Redis answered or not;
- nobody waits for longer than `deadline` seconds from the start of the call that is under way: then
  the gate shuts, and all who wait are told None. While it is shut everybody is told so at once;
- a call that raises, or comes late, is taken as one of which nothing is known.
Bound: what waits is bounded by the deadline; a call carries `together` pieces at most, but one
asker's always whole.
May import: gate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence, Sized
from typing import Any, Generic, TypeVar

from storage.hot.gate import Gate

T = TypeVar("T", bound=Sized)
R = TypeVar("R")


class Batch(Generic[T, R]):
    """One kind of call. What is asked is a group of pieces; `missed` hears of those untold."""

    def __init__(
        self,
        call: Callable[[Sequence[T]], Coroutine[Any, Any, Sequence[R]]],
        gate: Gate,
        deadline: float,
        together: int,
        missed: Callable[[T], None] | None = None,
    ) -> None:
        self._call = call
        self._gate = gate
        self._deadline = deadline
        self._together = together
        self._missed = missed
        self._waiting: deque[tuple[T, asyncio.Future[R | None]]] = deque()
        self._working = False

    async def ask(self, group: T) -> R | None:
        """What came of it; None when Redis did not say in time."""
        future: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((group, future))
        if not self._working:
            self._working = True
            self._gate.tasks.start(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                if self._gate.shut:
                    self._give_up(len(self._waiting))
                else:
                    await self._carry(self._count())
        finally:
            self._working = False

    def _count(self) -> int:
        """How many of those who wait go together."""
        pieces = len(self._waiting[0][0])
        count = 1
        while count < len(self._waiting):
            pieces += len(self._waiting[count][0])
            if pieces > self._together:
                break
            count += 1
        return count

    async def _carry(self, count: int) -> None:
        groups = [self._waiting[n][0] for n in range(count)]
        told = await self._gate.within(self._deadline, self._call(groups))
        if told is None:
            return  # The gate is shut now.
        for answer in told:
            _resolve(self._waiting.popleft()[1], answer)

    def _give_up(self, count: int) -> None:
        waiting = [self._waiting.popleft() for _ in range(count)]
        if self._missed is not None:
            for group, _ in waiting:
                self._missed(group)
        for _, future in waiting:
            _resolve(future, None)


def _resolve(future: asyncio.Future[R | None], answer: R | None) -> None:
    if not future.done():  # Else cancelled.
        future.set_result(answer)
