"""The window of a link: it follows what is delivered, and gives way where it causes the loss."""

from __future__ import annotations

from collections import deque
from random import Random

from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicSentPacket
from aioquic.tls import Epoch

from transport.quic.steady import FLOOR, SteadyCongestionControl

PACKET = 1200
RTT = 0.2


class Path:
    """A path of `rate` bytes a second and a queue of `queue` bytes, that loses a share of all."""

    def __init__(self, rate: float, queue: float = 1e9, loss: float = 0.0) -> None:
        self.control = SteadyCongestionControl(max_datagram_size=PACKET)
        self.now = 0.0
        self.delivered = 0
        self._rate, self._queue, self._loss = rate, queue, loss
        self._free_at = 0.0
        self._random = Random(1)
        self._flying: deque[tuple[float, QuicSentPacket, bool]] = deque()

    def run(self, seconds: float, offered: float) -> None:
        """Send as much as the window lets, and `offered` bytes a second at most."""
        end, budget = self.now + seconds, 0.0
        while self.now < end:
            self.now += 0.001
            budget = min(budget + offered * 0.001, 64 * PACKET)
            self._land()
            while budget >= PACKET and self._fits():
                budget -= PACKET
                self._send()

    def _fits(self) -> bool:
        return self.control.bytes_in_flight + PACKET <= self.control.congestion_window

    def _send(self) -> None:
        packet = QuicSentPacket(
            epoch=Epoch.ONE_RTT,
            in_flight=True,
            is_ack_eliciting=True,
            is_crypto_packet=False,
            packet_number=0,
            packet_type=QuicPacketType.ONE_RTT,
            sent_time=self.now,
            sent_bytes=PACKET,
        )
        self.control.on_packet_sent(packet=packet)
        waits = max(0.0, self._free_at - self.now)
        lost = waits * self._rate > self._queue or self._random.random() < self._loss
        if not lost:
            self._free_at = self.now + waits + PACKET / self._rate
        self._flying.append((max(self.now, self._free_at) + RTT, packet, lost))

    def _land(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, packet, lost = self._flying.popleft()
            if lost:
                self.control.on_packets_lost(now=self.now, packets=[packet])
            else:
                self.delivered += PACKET
                self.control.on_packet_acked(now=self.now, packet=packet)


def test_random_loss_does_not_hold_it_back() -> None:
    path = Path(rate=1e6, loss=0.05)
    path.run(5, offered=1e9)
    path.delivered = 0
    path.run(5, offered=1e9)
    assert path.delivered > 0.85 * 5e6


def test_the_window_follows_what_the_path_carries() -> None:
    path = Path(rate=1e6, queue=200_000)
    path.run(10, offered=1e9)
    assert 1e6 * RTT <= path.control.congestion_window <= 4 * 1e6 * RTT


def test_a_thin_flow_learns_nothing() -> None:
    path = Path(rate=1e6, loss=0.1)
    path.run(20, offered=30_000)
    assert path.control.congestion_window == FLOOR * PACKET


def test_it_gives_way_where_it_is_the_cause() -> None:
    """The path becomes ten times narrower, with a short queue."""
    path = Path(rate=2e6, queue=100_000)
    path.run(5, offered=1e9)
    path._rate, path._queue = 2e5, 20_000
    path.run(10, offered=1e9)
    assert path.control.congestion_window <= 2 * (2e5 * RTT + 20_000)
    lost, sent = path.control.lost, path.control.sent
    path.run(5, offered=1e9)
    share = (path.control.lost - lost) / (path.control.sent - sent)
    assert share < 0.35


def test_never_under_the_floor() -> None:
    path = Path(rate=1e4, queue=3_000)
    path.run(20, offered=1e9)
    assert path.control.congestion_window >= FLOOR * PACKET
    path.control.on_persistent_congestion()
    assert path.control.congestion_window == FLOOR * PACKET
