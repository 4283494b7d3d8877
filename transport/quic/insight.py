"""What is learnt of the QUIC connections of a process: how long handshakes took, round trips, loss.

What holds always: a connection is looked at when it ends, and those that live in turns, at most
SAMPLE of them each time somebody asks, so that asking costs the same with ten and with 100,000.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from msgspec import Struct

SAMPLE = 256
"""Living connections that are looked at each time."""
HANDSHAKE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
RTT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0)
LOSS_SHARE = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
MIN_PACKETS = 20
"""Packets a connection must have sent before its share of lost ones means anything."""


class Vitals(Struct, frozen=True):
    """One connection: `rtt` is the smoothed round trip in seconds, or None before the first."""

    rtt: float | None
    sent: int
    lost: int
    datagrams_dropped: int
    stalls: int = 0
    """Times a writer waited for acknowledgements or the peer's flow control."""


class Vital(Protocol):
    """What can be looked at."""

    def vitals(self) -> Vitals: ...


class Histogram:
    """Counts by upper bound. One count more than bounds: what lies over all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: up to each bound, and the last for all."""
        bounds = [*map(str, self.bounds), "+Inf"]
        sums, so_far = [], 0
        for bound, counted in zip(bounds, self.counts, strict=True):
            so_far += counted
            sums.append((bound, float(so_far)))
        return sums


class Insight:
    """Of one endpoint."""

    def __init__(self) -> None:
        self.histograms = {
            "handshake_seconds": Histogram(HANDSHAKE_SECONDS),
            "rtt_seconds": Histogram(RTT_SECONDS),
            "loss_share": Histogram(LOSS_SHARE),
        }
        self._ended = Vitals(None, 0, 0, 0)
        self._place = 0

    def shook_hands(self, seconds: float) -> None:
        """A handshake was completed."""
        self.histograms["handshake_seconds"].observe(seconds)

    def ended(self, connection: Vital) -> None:
        """A connection is over."""
        vitals = connection.vitals()
        self._look_at(vitals)
        past = self._ended
        self._ended = Vitals(
            None,
            past.sent + vitals.sent,
            past.lost + vitals.lost,
            past.datagrams_dropped + vitals.datagrams_dropped,
            past.stalls + vitals.stalls,
        )

    def sample(self, living: Iterable[Vital], count: int) -> None:
        """Look at the next few of the `count` that live."""
        start = self._place if self._place < count else 0
        self._place = start + SAMPLE
        for connection in islice(living, start, self._place):
            self._look_at(connection.vitals())

    def counters(self) -> dict[str, int]:
        """Of connections that ended."""
        return {
            "quic_ended_packets_sent": self._ended.sent,
            "quic_ended_packets_lost": self._ended.lost,
            "quic_ended_datagrams_dropped": self._ended.datagrams_dropped,
            "quic_ended_stalls": self._ended.stalls,
        }

    def _look_at(self, vitals: Vitals) -> None:
        if vitals.rtt is not None:
            self.histograms["rtt_seconds"].observe(vitals.rtt)
        if vitals.sent >= MIN_PACKETS:
            self.histograms["loss_share"].observe(vitals.lost / vitals.sent)
