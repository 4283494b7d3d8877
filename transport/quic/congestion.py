"""Congestion control and pacing for thin flows: a chat sends a few small packets and then nothing.

`thin` is NewReno (RFC 9002 section 7) as long as the window is what holds a flow back, but:

- a window that is not filled does not grow, for nothing was learned about the path (section 7.8),
  so that hours of chatting do not add up to the right to send a megabyte at once;
- no window falls under FLOOR packets, neither after a loss nor after persistent congestion (section
  7.6.2 would leave two): a few packets lost in a tunnel say nothing about a queue, and a connection
  opened anew could send as much at once anyway. Nor where the window was filled: a dozen small
  copies in a round fill half of it, and with two packets they would queue for seconds behind a
  burst of loss (docs/performance.md). What copies may cost is bounded by the lane's byte budget;
- pacing lets FLOOR packets go at a time (section 7.7 allows the initial window). aioquic's two
  and a half make the third small packet wait a tenth of a round trip.

What holds always: a window above FLOOR packets is halved by a loss, once a round trip, like
everybody else's. Time is an argument.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Iterable

from aioquic.quic.congestion.base import (
    K_INITIAL_WINDOW,
    QuicCongestionControl,
    QuicRttMonitor,
    register_congestion_control,
)
from aioquic.quic.packet_builder import QuicSentPacket
from aioquic.quic.recovery import K_MICRO_SECOND, K_SECOND, QuicPacketPacer

ALGORITHM = "thin"
FLOOR = K_INITIAL_WINDOW
"""Packets that a flow may have in flight whatever it lost."""
MAX_BURST = 16
"""Packets that a flow with a large window may send without a pause."""


class ThinCongestionControl(QuicCongestionControl):
    """NewReno with a memory of whether the window was ever the limit."""

    def __init__(self, *, max_datagram_size: int) -> None:
        super().__init__(max_datagram_size=max_datagram_size)
        self.sent = 0
        self.lost = 0
        """Packets, over the life of the connection."""
        self._packet = max_datagram_size
        self._recovery_start = 0.0
        self._stash = 0
        self._round_start = 0.0
        self._peak = 0
        """Most bytes in flight in this round trip."""
        self._last_peak = 0
        """And in the one before."""
        self._monitor: QuicRttMonitor | None = None

    @property
    def fills_window(self) -> bool:
        """Whether the window, not the application, was what held the flow back lately."""
        return 2 * max(self._peak, self._last_peak) >= self.congestion_window

    def on_packet_sent(self, *, packet: QuicSentPacket) -> None:
        self.sent += 1
        self.bytes_in_flight += packet.sent_bytes
        self._peak = max(self._peak, self.bytes_in_flight)

    def on_packet_acked(self, *, now: float, packet: QuicSentPacket) -> None:
        limited, sent_at = self.fills_window, packet.sent_time or 0.0
        self.bytes_in_flight -= packet.sent_bytes
        self._next_round(now, sent_at)
        if not limited or sent_at <= self._recovery_start:
            return
        if self.ssthresh is None or self.congestion_window < self.ssthresh:
            self.congestion_window += packet.sent_bytes
            return
        self._stash += packet.sent_bytes
        count, self._stash = divmod(self._stash, self.congestion_window)
        self.congestion_window += count * self._packet

    def on_packets_expired(self, *, packets: Iterable[QuicSentPacket]) -> None:
        for packet in packets:
            self.bytes_in_flight -= packet.sent_bytes

    def on_packets_lost(self, *, now: float, packets: Iterable[QuicSentPacket]) -> None:
        last_sent = 0.0
        for packet in packets:
            self.lost += 1
            self.bytes_in_flight -= packet.sent_bytes
            last_sent = packet.sent_time or 0.0
        if last_sent > self._recovery_start:
            self._recovery_start = now
            self._shrink_to(self.congestion_window // 2)
            self.ssthresh = self.congestion_window

    def on_persistent_congestion(self) -> None:
        self._recovery_start = 0.0
        self._shrink_to(0)

    def on_rtt_measurement(self, *, now: float, rtt: float) -> None:
        # HyStart: a queue that builds up ends slow start. Only who fills a window builds one up.
        if self.ssthresh is not None or not self.fills_window:
            return
        self._monitor = self._monitor or QuicRttMonitor()
        if self._monitor.is_rtt_increasing(now=now, rtt=rtt):
            self.ssthresh = self.congestion_window

    def _shrink_to(self, window: int) -> None:
        # Not more than it was: a loss gives nobody a larger window.
        self.congestion_window = min(self.congestion_window, max(window, FLOOR * self._packet))

    def _next_round(self, now: float, sent_at: float) -> None:
        """A packet of this round was acknowledged: the next one begins."""
        if sent_at >= self._round_start:
            self._round_start = now
            self._last_peak, self._peak = self._peak, self.bytes_in_flight


class ThinPacer(QuicPacketPacer):
    """aioquic's token bucket, as deep as the initial window."""

    def __init__(self, *, max_datagram_size: int) -> None:
        super().__init__(max_datagram_size=max_datagram_size)
        self._packet = max_datagram_size

    def update_rate(self, congestion_window: int, smoothed_rtt: float) -> None:
        """Packets are spread over a round trip, but for a burst."""
        rate = congestion_window / max(smoothed_rtt, K_MICRO_SECOND)
        self.packet_time = max(K_MICRO_SECOND, min(self._packet / rate, K_SECOND))
        burst = min(max(FLOOR * self._packet, congestion_window // 4), MAX_BURST * self._packet)
        self.bucket_max = burst / rate
        self.bucket_time = min(self.bucket_time, self.bucket_max)


register_congestion_control(ALGORITHM, ThinCongestionControl)
