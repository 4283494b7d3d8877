"""aioquic with bounds: the one file that touches its private names.

`Connection` is a QUIC connection and `Http3` the HTTP/3 layer on it, either role. aioquic itself
buffers without end, raises flow-control limits without a ceiling, and forgets nothing of finished
WebTransport streams; here each of these has a number.

What holds always:
- a peer may have PEER_BIDI and PEER_UNI streams open, STREAM_WINDOW bytes unread on each, and
  CONNECTION_WINDOW bytes in flight; more is a flow-control error of theirs (RFC 9000 section 4);
- credit on a stream is given back only for bytes that were taken (`hold`, `release`), so a stream
  that nobody reads stops its sender and no other stream;
- a datagram that could never leave is refused at once, for one of those at the head of aioquic's
  queue blocks it for ever; over QUEUED_DATAGRAMS the oldest is dropped: it is the least use;
- HEADERS and other frames that must be whole are at most MAX_PARTIAL_FRAME bytes.

The private names are listed in PRIVATE, and a test looks for each of them, so that an upgrade of
aioquic fails loudly. May import: congestion, insight.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Protocol

from aioquic.buffer import encode_uint_var, size_uint_var
from aioquic.h3.connection import (
    ErrorCode,
    FrameType,
    H3Connection,
    H3Stream,
    encode_frame,
)
from aioquic.h3.events import H3Event
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    MAX_STREAM_DATA_FRAME_CAPACITY,
    Limit,
    QuicConnection,
    QuicConnectionId,
)
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived
from aioquic.quic.packet import QuicErrorCode, QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from aioquic.tls import AlertUnexpectedMessage, Context, Epoch, SessionTicket
from msgspec import Struct

from transport.quic import congestion
from transport.quic.insight import Vitals

ALPN = "h3"
NATIVE_ALPN = "tradewind/1"
"""A session with nothing between it and QUIC; the only protocol with early data."""
NATIVE_PATH = "/v1/live"
"""Where its sessions are, as seen by the application."""
PEER_BIDI = 64
"""Bidirectional streams a peer may have open at once. More: STREAM_LIMIT_ERROR, it is cut."""
PEER_UNI = 16
"""Unidirectional ones; HTTP/3 itself needs three."""
STREAM_WINDOW = 262_144
"""Bytes a peer may send on a stream before they are taken."""
CONNECTION_WINDOW = 2_097_152
"""Bytes a peer may have in flight on all streams together."""
QUEUED_DATAGRAMS = 256
"""Datagrams that wait for the congestion window. Over it the oldest is dropped."""
MAX_DATAGRAM = 1_169
"""Most bytes of a WebTransport datagram, whatever the peer would take."""
MAX_PARTIAL_FRAME = 16_384
"""Bytes of a frame that must be whole before it means anything. Over it: H3_EXCESSIVE_LOAD."""
PROBE_PACKETS = 8
"""Packets whose content a probe of ours sends again, at most."""
ROOM_TO_ANSWER = 400
"""Bytes of a packet that asks whether the path still leads to us. A server that hears it from a new
address may answer three times as much there (RFC 9000 section 8.1): what somebody waits for."""
SILENT = 2
"""Probe timeouts without an answer after which what waits is no longer the news."""
MAX_BACKOFF = 3
"""Doublings of the probe timeout at most: aioquic has no end to them, and after ten seconds in a
tunnel would wait as long again before it looks for the way out."""
IDLE_TIMEOUT = 60.0
"""Seconds without a packet after which a connection is forgotten."""
INITIAL_RTT = 0.333
"""RFC 9002 section 6.2.2. aioquic's 0.1 s sends everything twice on a 200 ms path."""
ACK_HOLD = 0.02
"""Seconds an acknowledgement waits for something to ride on: a reply after a commit, or the next
copy of a frame. Every second packet, and one that shows a gap, is acknowledged at once (RFC 9000
section 13.2); the 25 ms that aioquic promises to the peer are the limit."""
MAX_PTO = 3.0
"""Seconds after which a probe is sent, at most, while something is not acknowledged. RFC 9002
section 6.2.1 doubles the time without end, and then a phone that comes out of a long tunnel waits
as long again; this costs a packet every MAX_PTO until the idle timeout."""
CONNECTION_ID_LENGTH = 8

H3_NO_ERROR = int(ErrorCode.H3_NO_ERROR)
H3_INTERNAL_ERROR = int(ErrorCode.H3_INTERNAL_ERROR)
H3_EXCESSIVE_LOAD = int(ErrorCode.H3_EXCESSIVE_LOAD)
H3_REQUEST_REJECTED = int(ErrorCode.H3_REQUEST_REJECTED)
H3_REQUEST_CANCELLED = int(ErrorCode.H3_REQUEST_CANCELLED)
H3_MESSAGE_ERROR = int(ErrorCode.H3_MESSAGE_ERROR)

# Safari 26.4 opens WebTransport only when it sees the settings of draft 7 and later beside those of
# draft 2 that aioquic sends. 0x2c7cf000 (draft 15) must stay out: it promises flow control and
# RESET_STREAM_AT.
SETTING_WT_MAX_SESSIONS_DRAFT_7 = 0xC671706A
SETTING_WT_MAX_SESSIONS = 0x14E9CD29
SETTING_MAX_FIELD_SECTION_SIZE = 0x6
MAX_FIELD_SECTION = 65_536
"""Decoded bytes of a header section that we accept (RFC 9114 section 4.2.2)."""

PRIVATE: dict[str, tuple[str, ...]] = {
    "connection": (
        "_ack_delay",
        "_alpn_handler",
        "_close_at",
        "_close_end",
        "_close_event",
        "_confirm_handshake",
        "_QuicConnection__frame_handlers",
        "_crypto_buffers",
        "_crypto_streams",
        "_cryptos",
        "_cryptos_initial",
        "_datagrams_pending",
        "_events",
        "_find_network_path",
        "_handle_session_ticket",
        "_handshake_complete",
        "_host_cids",
        "_local_initial_source_connection_id",
        "_local_max_data",
        "_local_max_streams_bidi",
        "_local_max_streams_uni",
        "_loss",
        "_network_paths",
        "_on_max_stream_data_delivery",
        "_peer_cid",
        "_quic_logger",
        "_remote_initial_source_connection_id",
        "_remote_max_datagram_frame_size",
        "_replenish_connection_ids",
        "_send_probe",
        "_serialize_transport_parameters",
        "_session_ticket_handler",
        "_spaces",
        "_stream_is_discarded",
        "_streams",
        "_write_handshake_done_frame",
        "_write_new_connection_id_frame",
        "_write_ping_frame",
        "_write_ack_frame",
        "_write_stream_limits",
        "tls",
    ),
    "recovery": ("_on_packets_lost", "_pto_count", "_rtt_initial", "_rtt_smoothed"),
    "loss": ("_cc", "_pacer", "_pto_count", "_rtt_initialized", "_rtt_smoothed"),
    "sender": ("_buffer_start", "_buffer_stop", "_buffer_fin", "_reset_error_code"),
    "h3": ("_get_local_settings", "_local_control_stream_id", "_stream"),
    "tls": ("_peer_certificate",),
}

# What a peer does wrong is counted, not printed: it could print as much as it liked.
logging.getLogger("quic").setLevel(logging.ERROR)

_PACKET_OVERHEAD = 1 + 2 + 16
"""Short header without its connection ID: first byte, packet number, AEAD tag."""
_FRAME_OVERHEAD = 1 + 2
"""DATAGRAM frame: type and a length of two bytes."""
_LONG_HEADER = 4 + 1 + 1 + 20 + 2
"""What the header of a 0-RTT packet has more: version, lengths of two IDs, our ID, length."""
_MIN_RESET = 21
"""Bytes of the smallest stateless reset."""


class Origin(Struct, frozen=True, kw_only=True):
    """How a server's connection came about, and what it promises from the shared secret.

    `retry_source` is the ID of the Retry that came before; `proven` the address that the client
    has shown to be its own; `reset_token` gives the stateless reset token of an ID; `later` the
    token of a NEW_TOKEN frame.
    """

    retry_source: bytes | None = None
    proven: Any = None
    reset_token: Callable[[bytes], bytes] | None = None
    later: Callable[[], bytes] | None = None


_NO_ORIGIN = Origin()


class Tickets(Protocol):
    """The session tickets of a server. A ticket that was taken is never given again: that is what
    makes early data arrive once. A ticket that is not known here means a full handshake."""

    def put(self, ticket: SessionTicket) -> None: ...

    def take(self, identity: bytes) -> SessionTicket | None: ...


def configuration(
    *, is_client: bool, server_name: str | None = None, alpn: tuple[str, ...] = (ALPN,)
) -> QuicConfiguration:
    """The configuration both roles share."""
    return QuicConfiguration(
        congestion_control_algorithm=congestion.ALGORITHM,
        alpn_protocols=list(alpn),
        connection_id_length=CONNECTION_ID_LENGTH,
        idle_timeout=IDLE_TIMEOUT,
        initial_rtt=INITIAL_RTT,
        is_client=is_client,
        max_data=CONNECTION_WINDOW,
        max_datagram_frame_size=65_536,
        max_stream_data=STREAM_WINDOW,
        server_name=server_name,
    )


class _CreditLimit(Limit):
    """MAX_DATA that stays a fixed window ahead of what was used, raised a quarter at a time.

    aioquic doubles `value`; here an assignment is clipped.
    """

    def __init__(self, like: Limit) -> None:
        self._value = like.value
        self.used = 0
        super().__init__(like.frame_type, like.name, like.value)

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        clipped = min(value, self.used + CONNECTION_WINDOW)
        if clipped - self._value >= CONNECTION_WINDOW // 4:
            self._value = clipped


class _FrameHandlers:
    """aioquic's table of frame handlers, without the 10 KiB it takes on every connection."""

    __slots__ = ("owner",)

    names: ClassVar[dict[int, tuple[str, frozenset[Epoch]]]] = {}

    def __init__(self, owner: QuicConnection, made: Mapping[int, tuple[Any, Any]]) -> None:
        self.owner = owner
        if not self.names:
            self.names.update({k: (do.__name__, epochs) for k, (do, epochs) in made.items()})

    def __getitem__(self, kind: int) -> tuple[Any, frozenset[Epoch]]:
        name, epochs = self.names[kind]
        return getattr(self.owner, name), epochs


class _Few(list[Any]):
    """A queue of a few: an empty deque takes 760 bytes, and most connections idle."""

    __slots__ = ()

    def popleft(self) -> Any:
        return self.pop(0)


class _FinishedTls:
    """What a server's connection still asks of TLS after the handshake."""

    __slots__ = ("alpn_negotiated", "early_data_accepted", "session_resumed", "state")

    def __init__(self, tls: Context) -> None:
        self.alpn_negotiated = tls.alpn_negotiated
        self.early_data_accepted = tls.early_data_accepted
        self.session_resumed = tls.session_resumed
        self.state = tls.state

    def handle_message(self, data: bytes, _: Any) -> None:
        raise AlertUnexpectedMessage("nothing is left to say")


_DEAD_KEYS = CryptoPair()
"""Keys that are gone: a packet that needs them is dropped. One pair for all connections."""
_DEAD_SPACE = QuicPacketSpace()
"""A packet number space that is over. One for all connections: nothing enters it any more."""
_DEAD_SPACE.discarded = True


class Connection(QuicConnection):
    """A QUIC connection whose every buffer is bounded."""

    def __init__(
        self,
        configuration: QuicConfiguration,
        original_cid: bytes | None = None,
        *,
        new_id: Callable[[int], bytes] = os.urandom,
        origin: Origin = _NO_ORIGIN,
        tickets: Tickets | None = None,
        on_ticket: Callable[[SessionTicket], None] | None = None,
        on_token: Callable[[bytes], None] | None = None,
    ) -> None:
        """`new_id` makes the connection IDs that we issue, of a given length. `origin` and
        `tickets` are a server's; `on_ticket` and `on_token` take what a client is given for its
        next connection."""
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original_cid,
            retry_source_connection_id=origin.retry_source,
            session_ticket_handler=on_ticket,
            token_handler=on_token,
        )
        self._origin = origin
        self._tickets = tickets
        self._asked_at: float | None = None
        self._native = False
        self._pad_ping = 0
        """Bytes that the packet of the next PING is padded to; more than a packet: all of it."""
        self._moved_at = 0.0
        self._challenged_at = 0.0
        self._behind = False
        self._new_id = new_id
        self._name_ids(0)
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid
        self._ack_delay = 0.0  # until the handshake is confirmed
        self._unanswered = 0
        """Datagrams received since we acknowledged the last."""
        self._QuicConnection__frame_handlers: Mapping[int, Any] | _FrameHandlers
        self._QuicConnection__frame_handlers = _FrameHandlers(
            self, self._QuicConnection__frame_handlers
        )
        self._local_max_data = _CreditLimit(self._local_max_data)
        for limit, count in (
            (self._local_max_streams_bidi, PEER_BIDI),
            (self._local_max_streams_uni, PEER_UNI),
        ):
            limit.value = limit.sent = count
        self._loss._pacer = congestion.ThinPacer(
            max_datagram_size=self.configuration.max_datagram_size
        )
        self._events = _Few()  # type: ignore[assignment]
        self._datagrams_pending = _Few()  # type: ignore[assignment]
        self._held: dict[int, int] = {}
        self.datagrams_dropped = 0
        self.stalls = 0

    @property
    def started(self) -> bool:
        """Whether a packet could be decrypted; before that there is nobody to answer."""
        if self.configuration.is_client:
            return bool(self._network_paths)
        return self._remote_initial_source_connection_id is not None

    @property
    def handshake_complete(self) -> bool:
        """Whether the peer has proved to own its address and to speak TLS with us."""
        return self._handshake_complete

    @property
    def end(self) -> tuple[int, str] | None:
        """Code and reason once either side has begun to close, long before aioquic says so."""
        event = self._close_event
        return None if event is None else (event.error_code, event.reason_phrase)

    @property
    def ended_by_application(self) -> bool:
        """Whether the code of the end is one of the session's, not of QUIC's."""
        return self._close_event is not None and self._close_event.frame_type is None

    def vitals(self) -> Vitals:
        """Round trip, packets sent and declared lost, datagrams we gave up, waits of writers."""
        control = self._loss._cc
        assert isinstance(control, congestion.ThinCongestionControl)
        rtt = self._loss._rtt_smoothed if self._loss._rtt_initialized else None
        return Vitals(rtt, control.sent, control.lost, self.datagrams_dropped, self.stalls)

    def end_trace(self) -> None:
        """Write no more of this connection's qlog, if there is one."""
        logger = self.configuration.quic_logger
        if self._quic_logger is not None and logger is not None:
            logger.end_trace(self._quic_logger)
            self._quic_logger = None

    @property
    def peer_certificate(self) -> Any:
        """The leaf the server showed (an x509.Certificate), for a client that checks a hash."""
        return self.tls._peer_certificate

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

    @property
    def owes_answer(self) -> bool:
        """Whether the peer sent something that wants an acknowledgement, which is still to go."""
        space = self._spaces.get(Epoch.ONE_RTT)
        return space is not None and space.ack_at is not None

    @property
    def early(self) -> bool:
        """Whether a client can send before the server has answered: it has a ticket."""
        return bool(self._cryptos) and self._cryptos[Epoch.ZERO_RTT].send.is_valid()

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's, which looks for no stateless reset, and waits for its own timer to send
        again what got lost while nothing could be heard."""
        if self.configuration.is_client and self._is_reset(data):
            self._end_by_reset()
            return
        before, asked_at, peer = self._close_at, self._asked_at, self.get_peer_address()
        super().receive_datagram(data, addr, now)
        self._hasten_ack(now)
        if self._close_at == before:
            return  # nothing in it was for us
        self._asked_at = None
        if peer is not None and self.get_peer_address() != peer:
            self._moved(now)
        if asked_at is not None and self._handshake_complete and self.end is None:
            timeout = self.probe_timeout
            if now - asked_at > SILENT * timeout:
                self._behind = True
                self._loss._pto_count = 0
                self._send_again(lambda packet: packet.sent_time <= now - timeout, now)

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

    def unacked(self, stream_id: int) -> int:
        """Bytes written to a stream that the peer has not acknowledged. 0 for a finished one."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender._reset_error_code is not None:
            return 0
        return stream.sender._buffer_stop - stream.sender._buffer_start

    def can_send(self, stream_id: int) -> bool:
        """Whether the sending half is open: neither ended, nor reset, nor asked to stop."""
        if self.end is not None:
            return False
        stream = self._streams.get(stream_id)
        if stream is None:
            return False
        sender = stream.sender
        return (
            not sender.is_finished
            and sender._buffer_fin is None
            and (sender._reset_error_code is None)
        )

    def abandon(self, stream_id: int, code: int) -> None:
        """Reset our half and ask the peer to stop theirs, as far as there is anything to end."""
        stream = self._streams.get(stream_id)
        if stream is None or self.end is not None:
            return
        if not stream.sender.is_finished:
            self.reset_stream(stream_id, code)
        self.stop(stream_id, code)

    def stop(self, stream_id: int, code: int) -> None:
        """Ask the peer to stop sending, when it has not ended already."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            self.stop_stream(stream_id, code)

    def hold(self, stream_id: int, size: int) -> None:
        """Withhold credit for bytes of a stream that wait for the application."""
        if size:
            self._held[stream_id] = self._held.get(stream_id, 0) + size

    def release(self, stream_id: int, size: int) -> bool:
        """The application took them. Says whether the peer should be told of new credit now."""
        left = self._held.get(stream_id, 0) - size
        if left > 0:
            self._held[stream_id] = left
        else:
            self._held.pop(stream_id, None)
        stream = self._streams.get(stream_id)
        return stream is not None and self._credit_due(stream) is not None

    def release_all(self, stream_id: int) -> None:
        """Nothing of this stream waits any more, whatever was held."""
        self._held.pop(stream_id, None)

    def datagram_room(self, stream_id: int) -> int:
        """Most payload bytes of an HTTP datagram of this request now; 0 when there are none."""
        if self._remote_max_datagram_frame_size is None:
            return 0
        return max(0, min(MAX_DATAGRAM, self._frame_room() - size_uint_var(stream_id // 4)))

    @property
    def native_room(self) -> int:
        """Most bytes of a datagram without HTTP/3 around it."""
        if self._remote_max_datagram_frame_size is None:
            return 0
        early = _LONG_HEADER if self.early and not self._handshake_complete else 0
        return max(0, min(MAX_DATAGRAM, self._frame_room() - early))

    def send_stream_data(self, stream_id: int, data: bytes, end_stream: bool = False) -> None:
        """As aioquic's."""
        super().send_stream_data(stream_id, data, end_stream)
        self._carry_ack()

    def send_datagram_frame(self, data: bytes) -> None:
        """As aioquic's, with the bound."""
        self._carry_ack()
        if len(self._datagrams_pending) >= QUEUED_DATAGRAMS:
            self._datagrams_pending.popleft()
            self.datagrams_dropped += 1
        super().send_datagram_frame(data)

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """As aioquic's, but one that outgrew the packet (longer connection ID) cannot jam it."""
        while self._datagrams_pending and len(self._datagrams_pending[0]) > self._frame_room():
            self._datagrams_pending.popleft()
            self.datagrams_dropped += 1
        self._challenge_again(now)
        self._catch_up(now)
        datagrams = super().datagrams_to_send(now)
        if self._asked_at is None and any(s.ack_eliciting_in_flight for s in self._loss.spaces):
            self._asked_at = now
        return datagrams

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
        self.datagrams_dropped += len(self._datagrams_pending)
        self._datagrams_pending.clear()

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

    def _is_reset(self, data: bytes) -> bool:
        """RFC 9000 section 10.3.1, in constant time."""
        token = self._peer_cid.stateless_reset_token
        if not token or len(data) < _MIN_RESET or data[0] & 0x80:
            return False
        return hmac.compare_digest(data[-len(token) :], token)

    def _end_by_reset(self) -> None:
        if self._close_event is None:
            self._close_event = ConnectionTerminated(
                QuicErrorCode.NO_ERROR, QuicFrameType.PADDING, "stateless reset"
            )
            self._close_end()

    def _alpn_handler(self, alpn_protocol: str) -> None:
        """As aioquic's. TLS asks for tickets right after this: h3 has none, because a CONNECT
        must not go in early data."""
        super()._alpn_handler(alpn_protocol)
        self._native = alpn_protocol == NATIVE_ALPN
        if self._tickets is not None and self._native:
            self._session_ticket_handler = self._tickets.put
            self.tls.get_session_ticket_cb = self._tickets.take
            self.tls.new_session_ticket_cb = self._handle_session_ticket

    def _hasten_ack(self, now: float) -> None:
        """The second packet, and one that shows a gap, is not to wait for something to ride on."""
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None:
            self._unanswered += 1
            if self._unanswered > 1 or len(space.ack_queue) > 1:
                space.ack_at = min(space.ack_at, now)

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

    def _find_network_path(self, addr: Any) -> Any:
        path = super()._find_network_path(addr)
        if self._origin.proven is not None and addr == self._origin.proven:
            path.is_validated = True  # RFC 9000 section 8.1: its token said so
        return path

    def _serialize_transport_parameters(self) -> bytes:
        if self._origin.reset_token is not None:
            first = self._host_cids[0]
            first.stateless_reset_token = self._origin.reset_token(first.cid)
        return bytes(super()._serialize_transport_parameters())

    def _write_new_connection_id_frame(
        self, builder: QuicPacketBuilder, connection_id: QuicConnectionId
    ) -> None:
        if self._origin.reset_token is not None:
            connection_id.stateless_reset_token = self._origin.reset_token(connection_id.cid)
        super()._write_new_connection_id_frame(builder, connection_id)

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

    def _write_handshake_done_frame(self, builder: QuicPacketBuilder) -> None:
        """As aioquic's, and a token for next time beside it (RFC 9000 section 8.1.3). A lost one
        is not sent again: the next connection only proves its address anew."""
        super()._write_handshake_done_frame(builder)
        if self._origin.later is not None and self._native:
            token = self._origin.later()
            buffer = builder.start_frame(QuicFrameType.NEW_TOKEN, capacity=3 + len(token))
            buffer.push_uint_var(len(token))
            buffer.push_bytes(token)

    def _replenish_connection_ids(self) -> None:
        known = len(self._host_cids)
        super()._replenish_connection_ids()
        self._name_ids(known)

    def _name_ids(self, start: int) -> None:
        """Give the IDs that aioquic made at random, from `start` on, ours instead."""
        for issued in self._host_cids[start:]:
            issued.cid = self._new_id(CONNECTION_ID_LENGTH)

    def _confirm_handshake(self) -> None:
        """As aioquic's, giving back about 70 KiB of what only a handshake needs."""
        super()._confirm_handshake()
        self._crypto_buffers = {}
        self._cryptos_initial = dict.fromkeys(self._cryptos_initial, _DEAD_KEYS)
        for epoch in (Epoch.INITIAL, Epoch.HANDSHAKE):
            self._cryptos[epoch] = _DEAD_KEYS
            self._spaces[epoch] = _DEAD_SPACE
            self._crypto_streams.pop(epoch, None)
        self._loss.spaces = [self._spaces[Epoch.ONE_RTT]]
        self._ack_delay = ACK_HOLD
        for path in self._network_paths:
            path.remote_challenges = _Few(path.remote_challenges)  # type: ignore[assignment]
        if not self.configuration.is_client:  # a client still takes session tickets
            self.tls = _FinishedTls(self.tls)  # type: ignore[assignment]

    def _frame_room(self) -> int:
        packet = self.configuration.max_datagram_size
        ours = packet - _PACKET_OVERHEAD - len(self._peer_cid.cid) - _FRAME_OVERHEAD
        theirs = self._remote_max_datagram_frame_size or 0
        # Who takes no datagrams sends none either.
        mine = self.configuration.max_datagram_frame_size or 0
        return min(ours, min(mine, theirs) - _FRAME_OVERHEAD)

    def _credit_due(self, stream: QuicStream) -> int | None:
        """The next MAX_STREAM_DATA, when half the window was taken since the last."""
        if not stream.max_stream_data_local or stream.receiver.is_finished:
            return None
        assert stream.stream_id is not None  # only the CRYPTO streams have none
        taken = stream.receiver.starting_offset() - self._held.get(stream.stream_id, 0)
        if stream.max_stream_data_local - taken > STREAM_WINDOW // 2:
            return None
        return taken + STREAM_WINDOW

    def _write_stream_limits(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream
    ) -> None:
        """Instead of aioquic's, which doubles the limit whether or not anybody reads."""
        limit = stream.max_stream_data_local
        if limit == stream.max_stream_data_local_sent and (
            not limit or limit - stream.receiver.starting_offset() > STREAM_WINDOW // 2
        ):
            return  # most streams of most packets
        credit = self._credit_due(stream)
        if credit is not None:
            stream.max_stream_data_local = credit
        if stream.max_stream_data_local_sent == stream.max_stream_data_local:
            return
        assert stream.stream_id is not None  # only the CRYPTO streams have none
        buffer = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA,
            capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
            handler=self._on_max_stream_data_delivery,
            handler_args=(stream,),
        )
        buffer.push_uint_var(stream.stream_id)
        buffer.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local


class Http3(H3Connection):
    """HTTP/3 on a Connection, with WebTransport as Chromium, Firefox and Safari ask for it."""

    def __init__(self, quic: Connection) -> None:
        self.quic = quic
        super().__init__(quic, enable_webtransport=True)

    def handle_event(self, event: QuicEvent) -> list[H3Event]:
        """As aioquic's, with a bound on what it keeps of a frame that is not whole yet."""
        events = super().handle_event(event)
        if isinstance(event, StreamDataReceived):
            stream = self._stream.get(event.stream_id)
            if stream is not None and len(stream.buffer) > MAX_PARTIAL_FRAME:
                self.quic.close(H3_EXCESSIVE_LOAD, reason_phrase="frame too large")
                return []
        return events

    def end_sending(self, stream_id: int) -> None:
        """Note that our half of a stream was ended below HTTP/3, lest it be kept for ever."""
        stream = self._stream.get(stream_id)
        if stream is not None:
            stream.sending_ended = True
            if stream.is_ended():
                del self._stream[stream_id]

    def open_session_stream(self, session_id: int) -> int:
        """Open a bidirectional stream of a WebTransport session. aioquic does not note that it is
        one and would read the answers as HTTP/3 frames."""
        stream_id = self.create_webtransport_stream(session_id)
        stream = self._stream[stream_id] = H3Stream(stream_id)
        stream.frame_type = FrameType.WEBTRANSPORT_STREAM
        stream.session_id = session_id
        return stream_id

    def send_goaway(self, stream_id: int) -> None:
        """Say that requests from this stream ID on will not be served (RFC 9114 section 5.2)."""
        control = self._local_control_stream_id
        if control is not None and self.quic.can_send(control):
            frame = encode_frame(FrameType.GOAWAY, encode_uint_var(stream_id))
            self.quic.send_stream_data(control, frame)

    @property
    def streams_kept(self) -> int:
        """Streams there is state for, the control streams among them."""
        return len(self._stream)

    def _get_local_settings(self) -> dict[int, int]:
        return super()._get_local_settings() | {
            SETTING_MAX_FIELD_SECTION_SIZE: MAX_FIELD_SECTION,
            SETTING_WT_MAX_SESSIONS_DRAFT_7: 1,
            SETTING_WT_MAX_SESSIONS: 1,
        }
