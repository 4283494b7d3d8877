"""A handshake that does not wait for a timer to find out what was lost.

Before the first round trip is measured, a loss shows only after two thirds of a second or more (RFC
9002 section 6.2.2). So a client sends what it has outstanding once more, HASTE seconds after its
first flight when it has heard nothing, and again after its last when the handshake is not confirmed
by then. A server takes the second Initial as word that its own flight is missing, and sends that
again (RFC 9002 section 6.2.3): whether to hedge is for the client to say, and each side stays
within its limits, three times what came from an unproven address among them (RFC 9000 section 8.1).

What holds always: each flight goes twice at most before the timers take over; where answers come
within HASTE nothing does. Time is an argument.
May import: aio.bounds, aio.silence.
"""

from __future__ import annotations

from typing import Any

from transport.quic.aio.bounds import HASTE
from transport.quic.aio.silence import Silence


class Haste(Silence):
    """The flights of a handshake, twice."""

    _flight_at: float | None = None

    def connect(self, addr: Any, now: float) -> None:
        """As aioquic's."""
        super().connect(addr, now)
        self._flight_at = now + HASTE

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's."""
        complete, asked_again = self._handshake_complete, self._crypto_retransmitted
        super().receive_datagram(data, addr, now)
        if not self.configuration.is_client:
            if self._crypto_retransmitted and not asked_again:
                self._send_again(lambda packet: packet.is_ack_eliciting, now)
        elif self._handshake_complete and not complete:
            self._flight_at = now + HASTE
        elif self._asked_at is None and not complete:
            self._flight_at = None  # it was heard

    def get_timer(self) -> float | None:
        """As aioquic's."""
        due = super().get_timer()
        if self._flight_at is None or self._close_event is not None:
            return due
        return self._flight_at if due is None else min(due, self._flight_at)

    def handle_timer(self, now: float) -> None:
        """As aioquic's."""
        super().handle_timer(now)
        if self._flight_at is not None and now >= self._flight_at:
            self._flight_at = None
            self._loss.reschedule_data(now=now, speed_up_handshake=True)
            self._send_again(lambda packet: packet.is_ack_eliciting, now)

    def _confirm_handshake(self) -> None:
        super()._confirm_handshake()
        self._flight_at = None
