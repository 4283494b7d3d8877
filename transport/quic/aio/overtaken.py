"""Packets of a handshake that overtook the one with their keys.

A server's second packet may arrive before its first, and a client's first words before the end of
its handshake: as often as not where the network jitters by more than lies between them. aioquic
drops them, which costs a round trip; RFC 9001 section 5.7 lets them be kept.

What holds always: at most MAX_OVERTAKING datagrams wait, only during the handshake, only those with
one of our connection IDs, and they are handled in their order as soon as there are keys for the
first packet in them. Over it a datagram is handled, and so dropped, at once.
May import: aio.bounds.
"""

from __future__ import annotations

from typing import Any

from aioquic._buffer import Buffer
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from aioquic.tls import Epoch

from transport.quic.aio.bounds import CONNECTION_ID_LENGTH, MAX_OVERTAKING

_EPOCHS = {QuicPacketType.HANDSHAKE: Epoch.HANDSHAKE, QuicPacketType.ONE_RTT: Epoch.ONE_RTT}


class Overtaken(QuicConnection):
    """What came too early waits for its keys."""

    _early_packets: tuple[tuple[bytes, Any], ...] = ()

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's."""
        if not self._handshake_complete and self._is_too_early(data):
            self._early_packets = (*self._early_packets, (data, addr))
            return
        super().receive_datagram(data, addr, now)
        if self._early_packets:
            self._try_again(now)

    def _try_again(self, now: float) -> None:
        waiting, self._early_packets = self._early_packets, ()
        if self._close_event is None:
            for data, addr in waiting:
                self.receive_datagram(data, addr, now)

    def _is_too_early(self, data: bytes) -> bool:
        if len(self._early_packets) >= MAX_OVERTAKING or not self._cryptos:
            return False
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_LENGTH)
        except ValueError:
            return False
        epoch = _EPOCHS.get(header.packet_type)
        if epoch is None or self._cryptos[epoch].recv.is_valid():
            return False
        return any(header.destination_cid == issued.cid for issued in self._host_cids)
