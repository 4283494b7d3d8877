"""Acknowledgements that ride on what is sent anyway.

What holds always: one waits ACK_HOLD at most, the second packet's and that of a gap not at all
(RFC 9000 section 13.2.1), and none before the handshake is confirmed.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from typing import Any

from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import Epoch


class Acks(QuicConnection):
    """When what was received is acknowledged."""

    _unanswered = 0
    """Datagrams received since we acknowledged the last."""

    @property
    def owes_answer(self) -> bool:
        """Whether the peer sent something that wants an acknowledgement, which is still to go."""
        space = self._spaces.get(Epoch.ONE_RTT)
        return space is not None and space.ack_at is not None

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's. The second packet, and one that shows a gap, does not wait for something to
        ride on."""
        super().receive_datagram(data, addr, now)
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None:
            self._unanswered += 1
            if self._unanswered > 1 or len(space.ack_queue) > 1:
                space.ack_at = min(space.ack_at, now)

    def send_stream_data(self, stream_id: int, data: bytes, end_stream: bool = False) -> None:
        """As aioquic's."""
        super().send_stream_data(stream_id, data, end_stream)
        self._carry_ack()

    def send_datagram_frame(self, data: bytes) -> None:
        """As aioquic's."""
        super().send_datagram_frame(data)
        self._carry_ack()

    def _carry_ack(self) -> None:
        """Something goes out: what was to be acknowledged rides on it."""
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None:
            space.ack_at = 0.0

    def _write_ack_frame(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, now: float
    ) -> None:
        super()._write_ack_frame(builder, space, now)
        self._unanswered = 0
