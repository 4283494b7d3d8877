"""Silence: when nothing is heard, when it ends, and when a client moves to another address.

What ends a silence, or follows a move, decides how long somebody waits, and a loss there would cost
a round trip more; so does one in what follows, which comes in bursts, a round trip apart, that each
wait for their first packet. So all of it is hedged like a message: while we catch up, what goes out
goes out once more ECHO seconds later, and again when it was not answered in LATE round trips.

What holds always: what is sent again was sent into a silence, or to an address that is left, or is
an echo, of which there are ECHOES in a round trip at most; a probe is never more than MAX_PTO away
while something is not acknowledged. Time is an argument.
May import: congestion, aio.bounds, aio.datagrams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from typing import Any

from aioquic.quic.connection import QuicConnectionId
from aioquic.quic.packet import QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch

from transport.quic import congestion
from transport.quic.aio.bounds import (
    ECHO,
    ECHOES,
    LATE,
    MAX_PTO,
    PROBE_PACKETS,
    ROOM_TO_ANSWER,
    SILENT,
)
from transport.quic.aio.datagrams import Datagrams


class Silence(Datagrams):
    """What a connection does while it hears nothing, and right after."""

    _asked_at: float | None = None
    _behind = False
    _owed: dict[int, int] | None = None
    """How far each stream has to be acknowledged until we have caught up; None while more waits."""
    _again_at = 0.0
    """When all that was not acknowledged was last sent again."""
    _challenged_at = 0.0
    _challenges = 0
    """How often the present address was challenged since the client came from it."""
    _pad_ping = 0
    """Bytes that the packet of the next PING is padded to; more than a packet: all of it."""
    _echoes: tuple[tuple[float, int], ...] = ()
    """When a packet is to be sent once more, and its number."""
    _echoed_from = 0.0
    _echoed = 0
    """Packets in the round trip that began at `_echoed_from`."""

    @property
    def probe_timeout(self) -> float:
        """Seconds after which an answer is late, as far as we know the path."""
        return float(self._loss.get_probe_timeout())

    @property
    def round_trip(self) -> float:
        """Seconds there and back, as far as we know the path."""
        return float(self._loss._rtt_smoothed or self._loss._rtt_initial)

    @property
    def full_size(self) -> int:
        """Bytes of the largest packet we send."""
        return self.configuration.max_datagram_size

    @property
    def asked_at(self) -> float | None:
        """When we first sent something that wants an answer without having heard anything since;
        None when nothing is outstanding."""
        return self._asked_at

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's, which waits for its own timer to send again what got lost while nothing
        could be heard."""
        before, asked_at, peer = self._close_at, self._asked_at, self.get_peer_address()
        lost, loss, silent = self._lost, self._loss, self._is_silent(now)
        path = loss._rtt_latest, loss._rtt_smoothed, loss._rtt_variance
        super().receive_datagram(data, addr, now)
        if silent:  # an answer that took as long as the silence says nothing of the path
            loss._rtt_latest, loss._rtt_smoothed, loss._rtt_variance = path
        self._hurry(lost)
        if self._close_at == before:
            return  # nothing in it was for us
        self._asked_at = None
        if peer is not None and self.get_peer_address() != peer:
            self._moved(now)
        if asked_at is not None and self._handshake_complete and self._close_event is None:
            self._heard_again(asked_at, now)

    def _heard_again(self, asked_at: float, now: float) -> None:
        """All goes again, what was sent last as well: that was a probe, with the oldest in it, for
        which all the rest would have to wait."""
        if now - asked_at > SILENT * self.probe_timeout:
            self._behind = True
            self._loss._pto_count = 0
            self._again_at = now
            self._send_again(lambda packet: packet.is_ack_eliciting, now)

    @property
    def _lost(self) -> int:
        """Packets declared lost so far."""
        control = self._loss._cc
        assert isinstance(control, congestion.ThinCongestionControl)
        return control.lost

    def _hurry(self, lost: int) -> None:
        """While we catch up, what was lost since goes at once, whatever the window says (RFC 9002
        section 7.3.2 allows a packet): all that was received after it waits for it."""
        if self._behind and self._lost > lost:
            self._send_probe()

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """As aioquic's, with an eye on what was not answered."""
        self._challenge_again(now)
        self._catch_up(now)
        first = not self._echo(now)
        datagrams = super().datagrams_to_send(now)
        if datagrams and self._behind and not self._is_silent(now):
            self._plan_echo(now, first)
        if self._asked_at is None and any(s.ack_eliciting_in_flight for s in self._loss.spaces):
            self._asked_at = now
        return datagrams

    def get_timer(self) -> float | None:
        """As aioquic's, with MAX_PTO."""
        while self._loss._pto_count and (
            self._loss.get_probe_timeout() * 2**self._loss._pto_count > MAX_PTO
        ):
            self._loss._pto_count -= 1
        timer = super().get_timer()
        if not self._echoes or timer is None or self._close_event is not None:
            return timer
        return min(timer, *(at for at, _ in self._echoes))

    def handle_timer(self, now: float) -> None:
        """As aioquic's."""
        lost = self._lost
        super().handle_timer(now)
        self._hurry(lost)

    def ask(self, room: int = ROOM_TO_ANSWER) -> None:
        """Ask whether we are still heard, by a PING in a packet of `room` bytes."""
        self._pad_ping = max(self._pad_ping, room)
        self._acknowledge()
        self._send_probe()

    def probe(self, now: float) -> None:
        """Send the oldest of what is outstanding again, or a PING, whatever the window says.
        PROBE_PACKETS of it, so that whichever probe gets through carries what somebody waits for
        and not just the probe before it."""
        self._acknowledge()
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
        self.ask(self.full_size)

    def another_name(self) -> QuicConnectionId | None:
        """A connection ID for packets from another address beside the present one (RFC 9000
        section 9.5 wants one of its own there); None when there is only one left, for a move."""
        return self._peer_cid_available.pop(0) if len(self._peer_cid_available) > 1 else None

    def go_by(self, name: QuicConnectionId) -> QuicConnectionId:
        """Send under this ID from now on; the one until now, which is kept."""
        before, self._peer_cid = self._peer_cid, name
        return before

    def give_up(self, name: QuicConnectionId) -> None:
        """An ID from `another_name` that is not used any more."""
        self._retire_peer_cid(name)

    def early_data_rejected(self, now: float) -> None:
        """The server did not take the ticket: what was sent early goes again (RFC 9001 section
        4.6.2), now and not when a timer misses it."""
        self._send_again(lambda packet: packet.packet_type is QuicPacketType.ZERO_RTT, now)

    def _challenge_again(self, now: float) -> None:
        """A new address is challenged twice, ECHO apart, and then every half round trip until it
        answers: while it has not, little may be sent there, so that losing a challenge, or the
        answer to it, would cost until the timers find out (RFC 9000 section 8.2.1 allows several).
        More often would do harm: aioquic knows the answers to the last five only."""
        path = self._network_paths[0]
        if path.is_validated or not self._handshake_complete:
            return
        if not path.local_challenge_sent:  # since it came from there last
            self._challenged_at, self._challenges = now, 1
        elif now - self._challenged_at >= (ECHO if self._challenges == 1 else self.round_trip / 2):
            path.local_challenge_sent = False
            self._challenged_at = now
            self._challenges += 1

    def _on_path_challenge_delivery(self, delivery: Any, network_path: Any) -> None:
        """Not as aioquic's, which repeats a challenge with every packet that is sent again."""

    def _acknowledge(self) -> None:
        """The next packet says once more what was received: it may be the first that gets through
        since, and who hears it need not send that again."""
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and len(space.ack_queue):
            space.ack_at = 0.0

    def _plan_echo(self, now: float, first: bool) -> None:
        """What has just gone out for the first time goes once more soon, as far as that is paid
        for; an echo only when it should have been answered by then."""
        if now - self._echoed_from >= self.round_trip:
            self._echoed_from, self._echoed = now, 0
        sent = reversed(self._spaces[Epoch.ONE_RTT].sent_packets.values())
        new = takewhile(lambda packet: packet.sent_time == now, sent)
        numbers = sorted(packet.packet_number for packet in new if packet.is_ack_eliciting)
        due = now + LATE * self.round_trip
        if first:
            numbers, due = numbers[: ECHOES - self._echoed], now + ECHO
            self._echoed += len(numbers)
        self._echoes += tuple((due, number) for number in numbers)

    def _echo(self, now: float) -> bool:
        """Send again what is due; whether there was anything that has not been acknowledged. An
        address that is not proven gets no echo at the price of what has not been said there yet."""
        sent = self._spaces[Epoch.ONE_RTT].sent_packets
        due = {number for at, number in self._echoes if at <= now}
        if due:
            self._echoes = tuple(echo for echo in self._echoes if echo[1] not in due)
        due &= sent.keys()
        if not due or not self._network_paths[0].can_send(sum(sent[n].sent_bytes for n in due)):
            return False
        again = self._send_again(lambda packet: packet.packet_number in due, now)
        self._loss._pacer.bucket_time += again * (self._loss._pacer.packet_time or 0.0)
        self._send_probe()
        return True

    def _is_silent(self, now: float) -> bool:
        """Whether an answer is overdue by so much that what waits is no longer the news."""
        if self._asked_at is None or not self._handshake_complete:
            return False
        return now - self._asked_at > SILENT * self.probe_timeout

    def _catch_up(self, now: float) -> None:
        """After a silence, and in it, the streams go first and alone, until all that waited has
        arrived: what the datagrams say is newer, can mostly not be taken before the rest, and is on
        the stream as well. They would fill every probe, and half the window afterwards, and what
        was lost would wait behind them."""
        self._behind |= self._is_silent(now)
        if not self._behind:
            return
        streams = self._streams.values()
        if self._owed is None and all(stream.sender.buffer_is_empty for stream in streams):
            self._owed = {id: stream.sender._buffer_stop for id, stream in self._streams.items()}
        if self._owed is not None and all(map(self._has_arrived, self._owed)):
            self._behind, self._owed = False, None
        else:
            self.drop_datagrams()

    def _has_arrived(self, stream_id: int) -> bool:
        stream, owed = self._streams.get(stream_id), self._owed or {}
        return stream is None or stream.sender._buffer_start >= owed[stream_id]

    def _moved(self, now: float) -> None:
        """The client goes on from another address: what went to the old one since then is lost. Not
        twice in two round trips: one that looks for a way out of a silence comes from two addresses
        in turn, and one that moves all the time is not given everything each time."""
        if self._handshake_complete and now - self._again_at > 2 * self.round_trip:
            self._again_at = now
            self._behind = True
            self._send_again(lambda packet: packet.is_ack_eliciting, now)

    def _send_again(self, which: Callable[[Any], bool], now: float) -> int:
        space = self._spaces[Epoch.ONE_RTT]
        packets = tuple(filter(which, space.sent_packets.values()))
        if packets:
            self._loss._on_packets_lost(
                congestion_event=False, now=now, packets=packets, space=space
            )
        return len(packets)

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
