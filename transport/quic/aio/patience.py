"""Loss recovery that learns from answers that come too late.

RFC 9002 section 6.2 has a probe timeout mark nothing as lost. aioquic forgets a packet that it
sends again, so an acknowledgement of it, when it comes after all, says nothing to it: neither that
the path has become slow nor that the data arrived. On a path, or under a load, that became many
times slower from one moment to the next, everything would be sent again before its answer came, for
ever.

What holds always: GIVEN_UP packets that were sent again are known by number and time, the oldest
that no answer has passed yet. The round trip is measured by one that is the largest an ACK names
(RFC 9002 section 5.1), when that makes it longer, and as DOUBT times the probe timeout at most: the
answer may have been kept by a tunnel, and not by a slow path, which will say so again and again.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Iterable

from aioquic.quic.packet_builder import QuicSentPacket
from aioquic.quic.rangeset import RangeSet
from aioquic.quic.recovery import QuicPacketRecovery, QuicPacketSpace

GIVEN_UP = 16
"""Packets sent again of which a late answer is understood. Of those given up after them it is not,
until they are answered or passed."""
DOUBT = 2.0
"""Probe timeouts that a late answer is believed to have taken, at most."""


class PatientRecovery(QuicPacketRecovery):
    """As aioquic's, but for late answers."""

    _given_up: tuple[tuple[int, float], ...] = ()
    """Numbers of packets and when they were sent, the oldest first."""

    def on_ack_received(
        self, *, ack_rangeset: RangeSet, ack_delay: float, now: float, space: QuicPacketSpace
    ) -> None:
        """As aioquic's."""
        if self._given_up and space is self.spaces[-1]:
            self._late(ack_rangeset.bounds().stop - 1, ack_delay, now)
        super().on_ack_received(
            ack_rangeset=ack_rangeset, ack_delay=ack_delay, now=now, space=space
        )

    def _late(self, largest: int, ack_delay: float, now: float) -> None:
        for number, sent in self._given_up:
            if number == largest:
                self._measured(now - sent - min(ack_delay, self.max_ack_delay))
        self._given_up = tuple(given for given in self._given_up if given[0] > largest)

    def _measured(self, rtt: float) -> None:
        """A sample (RFC 9002 section 5.3)."""
        rtt = min(rtt, DOUBT * self.get_probe_timeout())
        if self._rtt_initialized and rtt > self._rtt_smoothed:
            self._rtt_latest = rtt
            self._rtt_variance = 3 / 4 * self._rtt_variance + 1 / 4 * (rtt - self._rtt_smoothed)
            self._rtt_smoothed = 7 / 8 * self._rtt_smoothed + 1 / 8 * rtt

    def _on_packets_lost(
        self,
        *,
        congestion_event: bool = True,
        now: float,
        packets: Iterable[QuicSentPacket],
        persistent_congestion: bool = False,
        space: QuicPacketSpace,
    ) -> None:
        packets = tuple(packets)
        super()._on_packets_lost(
            congestion_event=congestion_event,
            now=now,
            packets=packets,
            persistent_congestion=persistent_congestion,
            space=space,
        )
        room = GIVEN_UP - len(self._given_up)
        if room and space is self.spaces[-1]:
            new = [(p.packet_number, p.sent_time or now) for p in packets if p.is_ack_eliciting]
            self._given_up = tuple(sorted((*self._given_up, *new[:room])))
