"""The order of entries within a conversation, restored on the way to the receivers. Sans-IO.

Two workers that append to one conversation commit in the order of `seq`, but may publish the other
way round; and what a dead worker left behind is published late, perhaps a second time.

What holds always, for each conversation:
- what `put` and `due` give back is in the order of (epoch, seq), each position at most once;
- what follows the last one passed on is passed on at once;
- what comes too early waits PATIENCE seconds for what belongs before it, then goes on without. What
  was missing then is dropped when it comes: clients have seen the gap and fetched it;
- the first that is heard of a conversation is passed on at once, whatever its position.
A conversation that was forgotten begins anew like that, so a very late duplicate may pass: clients
drop by position themselves.
Bounds: MAX_HELD early ones of a conversation, MAX_HELD_IN_ALL of all: over either, those that have
come go on. MAX_CONVERSATIONS are known: over it the one that was silent longest is forgotten.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from heapq import heappop, heappush
from operator import attrgetter
from typing import Generic, TypeVar
from uuid import UUID

from msgspec import Struct

PATIENCE = 0.15
"""Seconds. Two workers' publishes differ by milliseconds; longer, and fetching is quicker."""
MAX_HELD = 100
MAX_HELD_IN_ALL = 10_000
MAX_CONVERSATIONS = 20_000

T = TypeVar("T")
Position = tuple[int, int]
"""(epoch, seq)."""


class _Early(Struct, Generic[T], frozen=True):
    """What waits for its turn."""

    position: Position
    until: float
    item: T


class _Line(Struct, Generic[T]):
    """One conversation: the last position passed on, and what came too early, in order."""

    last: Position
    held: list[_Early[T]]


class Order(Generic[T]):
    """Puts what comes into order. `now` never goes back."""

    def __init__(self, max_conversations: int = MAX_CONVERSATIONS) -> None:
        self._max = max_conversations
        self._lines: OrderedDict[UUID, _Line[T]] = OrderedDict()
        """The one that was heard of last is last."""
        self._ends: list[tuple[float, UUID]] = []
        """A heap of when somebody's patience ends; also of some who do not wait any more."""
        self._held = 0

    def put(self, conversation: UUID, position: Position, item: T, now: float) -> list[T]:
        """What may be passed on now that this has come, in order."""
        line = self._lines.get(conversation)
        if line is None:
            self._lines[conversation] = _Line(position, [])
            return [*self._forget(), item]
        self._lines.move_to_end(conversation)
        if position <= line.last:
            return []
        if _follows(position, line.last):
            older = sum(early.position < position for early in line.held)  # Of the last epoch.
            passed = self._take(line, older)
            line.last = position
            return [*passed, item, *self._take(line, _ready(line))]
        if all(early.position != position for early in line.held):
            insort(line.held, _Early(position, now + PATIENCE, item), key=_position)
            heappush(self._ends, (now + PATIENCE, conversation))
            self._held += 1
        if len(line.held) > MAX_HELD or self._held > MAX_HELD_IN_ALL:
            return self._take(line, len(line.held))
        return []

    def due(self, now: float) -> list[T]:
        """What has waited long enough, what belongs before it, and what follows it."""
        passed: list[T] = []
        while self._ends and self._ends[0][0] <= now:
            _, conversation = heappop(self._ends)
            if (line := self._lines.get(conversation)) is not None:
                late = [n for n, early in enumerate(line.held, 1) if early.until <= now]
                passed += self._take(line, late[-1] if late else 0)
                passed += self._take(line, _ready(line))
        return passed

    def next_due(self) -> float | None:
        """When to ask for what is due, if anything waits."""
        if not self._held:
            self._ends.clear()
        return self._ends[0][0] if self._ends else None

    def _take(self, line: _Line[T], count: int) -> list[T]:
        """The first of what is held."""
        taken, line.held = line.held[:count], line.held[count:]
        self._held -= len(taken)
        if taken:
            line.last = taken[-1].position
        return [early.item for early in taken]

    def _forget(self) -> list[T]:
        """Make room, and pass on what the forgotten one holds."""
        if len(self._lines) <= self._max:
            return []
        _, line = self._lines.popitem(last=False)
        return self._take(line, len(line.held))


def _follows(position: Position, last: Position) -> bool:
    """Whether nothing can belong between the two."""
    epoch, seq = position
    return (epoch == last[0] and seq == last[1] + 1) or (epoch > last[0] and seq == 1)


def _ready(line: _Line[T]) -> int:
    """How many of the held need not wait."""
    last = line.last
    for count, early in enumerate(line.held):
        if not _follows(early.position, last):
            return count
        last = early.position
    return len(line.held)


_position = attrgetter("position")
