"""What one direction of a path does to packets: the record, and the arithmetic of bursts.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from msgspec import Struct


class Shape(Struct, frozen=True, kw_only=True):
    """One direction. Each flow (two addresses, two ports) meets it as if it were alone.

    Times are seconds. A packet takes `delay` and up to `jitter` more, evenly drawn; packets of a
    flow keep their order, save for the share `reorder` of them, which come `reorder_by` later
    without holding up those behind. `loss` is the share lost in the long run: each by itself, or,
    with `burst`, in runs of that many packets on average (Gilbert 1960). `rate` in bits a second
    is the bottleneck before the path; over `queue` bytes that wait for it packets are dropped.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    burst: float | None = None
    reorder: float = 0.0
    reorder_by: float = 0.02
    rate: float | None = None
    queue: int = 64_000

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1 or not 0 <= self.reorder <= 1:
            raise ValueError("loss and reorder are shares: from 0 to 1")
        if min(self.delay, self.jitter, self.reorder_by) < 0:
            raise ValueError("a packet cannot come before it was sent")
        if self.burst is not None and (self.burst < 1 or self.enter > 1):
            raise ValueError(f"bursts of {self.burst} packets cannot make a loss of {self.loss}")
        if self.rate is not None and self.rate <= 0:
            raise ValueError("a rate is more than nothing; use a blackhole")

    @property
    def leave(self) -> float:
        """Chance that a burst ends with the next packet."""
        return 1.0 if self.burst is None else 1 / self.burst

    @property
    def enter(self) -> float:
        """Chance that a burst begins with the next packet, so that `loss` holds in the long run."""
        return self.leave * self.loss / (1 - self.loss)
