"""Datagrams: how large one may be, and how many wait.

What holds always: a datagram that could never leave is dropped, for one of those at the head of
aioquic's queue blocks it for ever; over QUEUED_DATAGRAMS the oldest is dropped: it is the least
use. Either is counted.
May import: aio.bounds.
"""

from __future__ import annotations

from typing import Any

from aioquic.buffer import size_uint_var
from aioquic.quic.connection import QuicConnection
from aioquic.tls import Epoch

from transport.quic.aio.bounds import MAX_DATAGRAM, QUEUED_DATAGRAMS

_PACKET_OVERHEAD = 1 + 2 + 16
"""Short header without its connection ID: first byte, packet number, AEAD tag."""
_FRAME_OVERHEAD = 1 + 2
"""DATAGRAM frame: type and a length of two bytes."""
_LONG_HEADER = 4 + 1 + 1 + 20 + 2
"""What the header of a 0-RTT packet has more: version, lengths of two IDs, our ID, length."""


class Datagrams(QuicConnection):
    """DATAGRAM frames (RFC 9221) within bounds."""

    datagrams_dropped = 0

    @property
    def early(self) -> bool:
        """Whether a client can send before the server has answered: it has a ticket."""
        return bool(self._cryptos) and self._cryptos[Epoch.ZERO_RTT].send.is_valid()

    @property
    def native_room(self) -> int:
        """Most bytes of a datagram without HTTP/3 around it."""
        if self._remote_max_datagram_frame_size is None:
            return 0
        early = _LONG_HEADER if self.early and not self._handshake_complete else 0
        return max(0, min(MAX_DATAGRAM, self._frame_room() - early))

    def datagram_room(self, stream_id: int) -> int:
        """Most payload bytes of an HTTP datagram of this request now; 0 when there are none."""
        if self._remote_max_datagram_frame_size is None:
            return 0
        return max(0, min(MAX_DATAGRAM, self._frame_room() - size_uint_var(stream_id // 4)))

    @property
    def datagrams_waiting(self) -> int:
        """How many wait for the congestion window, or for the next flush."""
        return len(self._datagrams_pending)

    def send_datagram_frame(self, data: bytes) -> None:
        """As aioquic's, with the bound."""
        if len(self._datagrams_pending) >= QUEUED_DATAGRAMS:
            self._datagrams_pending.popleft()
            self.datagrams_dropped += 1
        super().send_datagram_frame(data)

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """As aioquic's, but one that outgrew the packet (longer connection ID) cannot jam it."""
        while self._datagrams_pending and len(self._datagrams_pending[0]) > self._frame_room():
            self._datagrams_pending.popleft()
            self.datagrams_dropped += 1
        return super().datagrams_to_send(now)

    def drop_datagrams(self) -> None:
        """None of those that wait is worth sending any more."""
        self.datagrams_dropped += len(self._datagrams_pending)
        self._datagrams_pending.clear()

    def _frame_room(self) -> int:
        packet = self.configuration.max_datagram_size
        ours = packet - _PACKET_OVERHEAD - len(self._peer_cid.cid) - _FRAME_OVERHEAD
        theirs = self._remote_max_datagram_frame_size or 0
        # Who takes no datagrams sends none either.
        mine = self.configuration.max_datagram_frame_size or 0
        return min(ours, min(mine, theirs) - _FRAME_OVERHEAD)
