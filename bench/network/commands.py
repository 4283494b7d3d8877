"""What the link can be told while it runs, and what it tells. JSON over a socket pair.

May import: shape.
"""

from __future__ import annotations

from msgspec import Struct, field

from bench.network.shape import Shape

LATE_STEP = 0.0001
"""Seconds: the width of one bucket of `late`."""


class SetShapes(Struct, frozen=True, tag=True):
    """Change a direction; None leaves it."""

    up: Shape | None = None
    down: Shape | None = None


class SetBlackhole(Struct, frozen=True, tag=True):
    """Drop everything at the client's end, both ways."""

    on: bool


class SetUdpBlocked(Struct, frozen=True, tag=True):
    """Drop all UDP."""

    on: bool


class Rebind(Struct, frozen=True, tag=True):
    """Forget the NAT's bindings; clients come from this address and from new ports."""

    address: str


class AskStats(Struct, frozen=True, tag=True):
    """Tell the counters."""


Command = SetShapes | SetBlackhole | SetUdpBlocked | Rebind | AskStats


class Count(Struct):
    """One direction, since the link began. `packets` and `bytes` are those that were sent, whole IP
    packets, arrived or not; the rest says how many did not, and why."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    queue: int = 0
    blocked: int = 0
    arrived: int = 0

    def __sub__(self, other: Count) -> Count:
        return Count(*(getattr(self, n) - getattr(other, n) for n in self.__struct_fields__))


class Stats(Struct):
    """Both directions, and how late the link itself was: counts in buckets of LATE_STEP."""

    up: Count = field(default_factory=Count)
    down: Count = field(default_factory=Count)
    late: list[int] = field(default_factory=list)

    def __sub__(self, other: Stats) -> Stats:
        late = [a - b for a, b in zip(self.late, other.late, strict=True)]
        return Stats(self.up - other.up, self.down - other.down, late)

    def late_at(self, share: float) -> float:
        """Seconds by which this share of the packets was late at most; 0.0 without any."""
        left = share * sum(self.late)
        for bucket, n in enumerate(self.late):
            left -= n
            if left <= 0:
                return (bucket + 1) * LATE_STEP if n else 0.0
        return 0.0


class Ready(Struct, frozen=True):
    """The link stands. Descriptors of the two namespaces within its process."""

    client: int
    server: int
