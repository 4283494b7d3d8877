"""Silence: when nothing is heard, when it ends, and when a client moves to another address.

What holds always: what is sent again was sent before a time at which its answer was due, or to an
address that is left; a probe is never more than MAX_PTO or MAX_BACKOFF doublings away while
something is not acknowledged. Time is an argument.
May import: aio.bounds, aio.datagrams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from aioquic.quic.packet import QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch

from transport.quic.aio.bounds import MAX_BACKOFF, MAX_PTO, PROBE_PACKETS, ROOM_TO_ANSWER, SILENT
from transport.quic.aio.datagrams import Datagrams


class Silence(Datagrams):
    """What a connection does while it hears nothing, and right after."""

    _asked_at: float | None = None
    _behind = False
    _moved_at = 0.0
    _challenged_at = 0.0
    _pad_ping = 0
    """Bytes that the packet of the next PING is padded to; more than a packet: all of it."""

    @property
    def probe_timeout(self) -> float:
        """Seconds after which an answer is late, as far as we know the path."""
        return float(self._loss.get_probe_timeout())

    @property
    def round_trip(self) -> float:
        """Seconds there and back, as far as we know the path."""
        return float(self._loss._rtt_smoothed or self._loss._rtt_initial)

    @property
    def asked_at(self) -> float | None:
        """When we first sent something that wants an answer without having heard anything since;
        None when nothing is outstanding."""
        return self._asked_at

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's, which waits for its own timer to send again what got lost while nothing
        could be heard."""
        before, asked_at, peer = self._close_at, self._asked_at, self.get_peer_address()
        super().receive_datagram(data, addr, now)
        if self._close_at == before:
            return  # nothing in it was for us
        self._asked_at = None
        if peer is not None and self.get_peer_address() != peer:
            self._moved(now)
        if asked_at is not None and self._handshake_complete and self._close_event is None:
            timeout = self.probe_timeout
            if now - asked_at > SILENT * timeout:
                self._behind = True
                self._loss._pto_count = 0
                self._send_again(lambda packet: packet.sent_time <= now - timeout, now)

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """As aioquic's, with an eye on what was not answered."""
        self._challenge_again(now)
        self._catch_up(now)
        datagrams = super().datagrams_to_send(now)
        if self._asked_at is None and any(s.ack_eliciting_in_flight for s in self._loss.spaces):
            self._asked_at = now
        return datagrams

    def get_timer(self) -> float | None:
        """As aioquic's, with MAX_PTO."""
        while self._loss._pto_count and (
            self._loss.get_probe_timeout() * 2**self._loss._pto_count > MAX_PTO
        ):
            self._loss._pto_count -= 1
        return super().get_timer()

    def handle_timer(self, now: float) -> None:
        """As aioquic's, with an end to the doubling of the probe timeout."""
        super().handle_timer(now)
        self._loss._pto_count = min(self._loss._pto_count, MAX_BACKOFF)

    def ask(self) -> None:
        """Ask whether we are still heard, by a PING with ROOM_TO_ANSWER."""
        self._pad_ping = max(self._pad_ping, ROOM_TO_ANSWER)
        self._send_probe()

    def probe(self, now: float) -> None:
        """Send the oldest of what is outstanding again, or a PING, whatever the window says.
        PROBE_PACKETS of it, so that whichever probe gets through carries what somebody waits for
        and not just the probe before it."""
        sent = self._spaces[Epoch.ONE_RTT].sent_packets
        oldest = set(islice((n for n, p in sent.items() if p.is_ack_eliciting), PROBE_PACKETS))
        self._send_again(lambda packet: packet.packet_number in oldest, now)
        self._send_probe()

    def announce_move(self, now: float) -> None:
        """We send from another address from now on: with a connection ID that was not seen on the
        old path, and a first packet of full size, because until the server knows that the address
        is ours it may send three times what came from there and no more."""
        self.change_connection_id()
        self.probe(now)
        self._pad_ping = self.configuration.max_datagram_size
        self.send_ping(0)

    def early_data_rejected(self, now: float) -> None:
        """The server did not take the ticket: what was sent early goes again (RFC 9001 section
        4.6.2), now and not when a timer misses it."""
        self._send_again(lambda packet: packet.packet_type is QuicPacketType.ZERO_RTT, now)

    def _challenge_again(self, now: float) -> None:
        """A new address is challenged every half round trip until it answers: while it has not,
        little may be sent there, so that losing a challenge, or the answer to it, would cost
        until the timers find out (RFC 9000 section 8.2.1 allows several)."""
        path = self._network_paths[0]
        if path.is_validated or not self._handshake_complete:
            return
        if not path.local_challenge_sent:
            self._challenged_at = now
        elif now - self._challenged_at >= self.round_trip / 2:
            path.local_challenge_sent = False
            self._challenged_at = now

    def _catch_up(self, now: float) -> None:
        """After a silence, and in it, the streams go first and alone, until nothing of them waits:
        what the datagrams say is newer, can mostly not be taken before the rest, and is on the
        stream as well. They would fill every probe, and half the window afterwards."""
        if self._asked_at is not None and self._handshake_complete:
            self._behind |= now - self._asked_at > SILENT * self.probe_timeout
        if not self._behind:
            return
        if all(stream.sender.buffer_is_empty for stream in self._streams.values()):
            self._behind = False
            return
        self.drop_datagrams()

    def _moved(self, now: float) -> None:
        """The client goes on from another address: what went to the old one since then is lost
        (and a little more is sent again; a client that moves all the time is not given twice)."""
        if self._handshake_complete and now - self._moved_at > self.round_trip:
            self._send_again(lambda packet: packet.is_ack_eliciting, now)
        self._moved_at = now

    def _send_again(self, which: Callable[[Any], bool], now: float) -> None:
        space = self._spaces[Epoch.ONE_RTT]
        packets = tuple(filter(which, space.sent_packets.values()))
        if packets:
            self._loss._on_packets_lost(
                congestion_event=False, now=now, packets=packets, space=space
            )

    def _write_ping_frame(
        self, builder: QuicPacketBuilder, uids: Sequence[int] = (), comment: str = ""
    ) -> None:
        super()._write_ping_frame(builder, list(uids), comment)
        if self._pad_ping:
            size, self._pad_ping = self._pad_ping, 0
            space = builder.remaining_buffer_space
            missing = size - (self.configuration.max_datagram_size - space)
            room = min(space, builder.remaining_flight_space, missing)
            if room > 1:
                builder.start_frame(QuicFrameType.PADDING).push_bytes(bytes(room - 1))
