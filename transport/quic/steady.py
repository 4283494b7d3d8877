"""Congestion control for links: a steady flow of many small messages between two sites.

A long path loses packets that no queue has dropped, and NewReno takes each loss for a queue: at 3 %
it leaves some seven packets a round trip, whatever the path could carry. So this follows what is
delivered, as BBR does (draft-ietf-ccwg-bbr): the window is GAIN times the most that was delivered
in a round trip lately, times as many round trips; it doubles while that still grows.

What holds always: the window is never under FLOOR packets; a flow that does not fill its window
learns nothing and loses nothing of it; where more than TOO_MUCH of a round trip's packets are lost,
there is a queue that overflows: the window, and what is remembered, shrink by a third, once a round
trip. Time is an argument.
May import: congestion.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from aioquic.quic.congestion.base import register_congestion_control
from aioquic.quic.packet_builder import QuicSentPacket

from transport.quic.congestion import ThinCongestionControl

ALGORITHM = "steady"
FLOOR = 32
"""Packets that a link may have in flight whatever it lost: what many servers begin with."""
GAIN = 2.0
"""Windows in what was delivered: room to find out that the path carries more, and for jitter."""
ROUNDS = 10
"""Round trips for which the most that was delivered is remembered."""
GROWTH = 1.25
"""Rounds that deliver so much more than any before say that the path is not full yet."""
TOO_MUCH = 0.2
"""The share of a round trip's packets whose loss means that we are the cause."""
SHRINK = 2 / 3


class SteadyCongestionControl(ThinCongestionControl):
    """A window that follows the deliveries."""

    def __init__(self, *, max_datagram_size: int) -> None:
        super().__init__(max_datagram_size=max_datagram_size)
        self._floor = FLOOR * max_datagram_size
        self.congestion_window = self._floor
        self._delivered = 0
        """Bytes acknowledged in this round trip, …"""
        self._acked = 0
        self._gone = 0
        """… and packets that were, and that were lost."""
        self._best: deque[int] = deque(maxlen=ROUNDS)
        """Bytes delivered in the last rounds that filled the window."""
        self._began = 0.0

    def on_packet_acked(self, *, now: float, packet: QuicSentPacket) -> None:
        self.bytes_in_flight -= packet.sent_bytes
        self._delivered += packet.sent_bytes
        self._acked += 1
        if (packet.sent_time or 0.0) >= self._began:
            self._end_round(now)

    def on_packets_lost(self, *, now: float, packets: Iterable[QuicSentPacket]) -> None:
        for packet in packets:
            self.lost += 1
            self._gone += 1
            self.bytes_in_flight -= packet.sent_bytes

    def on_persistent_congestion(self) -> None:
        self._best.clear()
        self.congestion_window = self._floor

    def on_rtt_measurement(self, *, now: float, rtt: float) -> None:
        pass  # what is delivered says it

    def _end_round(self, now: float) -> None:
        """A packet that was sent in this round trip was acknowledged: the next one begins."""
        filled = self.fills_window
        self._next_round(now, now)
        lost = self._gone / (self._gone + self._acked)
        if lost > TOO_MUCH:
            self._shrink()
        elif filled:
            self._follow()
        self._delivered = self._acked = self._gone = 0
        self._began = now

    def _follow(self) -> None:
        best = max(self._best, default=0)
        self._best.append(self._delivered)
        if self._delivered > GROWTH * best:
            self.congestion_window += self._delivered
        else:
            target = int(GAIN * max(self._best))
            self.congestion_window = max(self._floor, min(target, 2 * self.congestion_window))

    def _shrink(self) -> None:
        self._best = deque((int(bytes * SHRINK) for bytes in self._best), maxlen=ROUNDS)
        window = int(self.congestion_window * SHRINK)
        self.congestion_window = max(window, self._floor)


register_congestion_control(ALGORITHM, SteadyCongestionControl)
