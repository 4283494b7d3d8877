"""What one flow meets in one direction. Pure: the time and the dice come in as arguments.

May import: shape.
"""

from __future__ import annotations

from enum import Enum
from random import Random

from bench.network.shape import Shape


class Drop(Enum):
    """Why a packet does not arrive."""

    LOST = "lost"
    QUEUE = "queue"


class Flow:
    """One flow's queue, loss and order."""

    __slots__ = ("_bad", "_free", "_last", "_random")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._bad: bool | None = None
        """Within a burst of losses; None before the first packet."""
        self._free = 0.0
        """When the bottleneck has sent all it was given."""
        self._last = 0.0
        """When the last packet that keeps order arrives."""

    def admit(self, size: int, shape: Shape, now: float) -> float | Drop:
        """When a packet of `size` bytes that is sent now arrives, or why it does not."""
        sent = now
        if shape.rate is not None:
            wait = max(0.0, self._free - now)
            if wait * shape.rate / 8 + size > shape.queue:
                return Drop.QUEUE
            sent = self._free = now + wait + size * 8 / shape.rate
        if self._loses(shape):
            return Drop.LOST
        due = sent + shape.delay
        if shape.jitter:
            due += shape.jitter * self._random.random()
        if shape.reorder and self._random.random() < shape.reorder:
            return due + shape.reorder_by
        self._last = max(self._last, due)
        return self._last

    def _loses(self, shape: Shape) -> bool:
        if not shape.loss:
            return False
        dice = self._random.random()
        if shape.burst is None or self._bad is None:
            self._bad = dice < shape.loss
        elif self._bad:
            self._bad = dice >= shape.leave
        else:
            self._bad = dice < shape.enter
        return self._bad
