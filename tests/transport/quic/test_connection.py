"""Bounds of a connection, in memory: aioquic's time is an argument."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, StreamDataReceived
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.stream import QuicStreamSender
from aioquic.tls import Context, Epoch

from transport.quic import connection
from transport.quic.connection import (
    CONNECTION_WINDOW,
    PEER_BIDI,
    PRIVATE,
    QUEUED_DATAGRAMS,
    STREAM_WINDOW,
    Connection,
    Http3,
    configuration,
)
from transport.tls import Certificates


class Pair:
    """A client and a server, joined without a network."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        server_side = configuration(is_client=False)
        Certificates.development(folder).apply_to(server_side)
        client_side = configuration(is_client=True, server_name="localhost")
        client_side.verify_mode = 0
        self.client = Connection(client_side)
        self.client.connect(("server", 1), self.now)
        first = self.client.original_destination_connection_id
        self.server = Connection(server_side, first)
        self.events: dict[Connection, list[object]] = {self.client: [], self.server: []}
        self.exchange()

    def exchange(self) -> None:
        """Carry packets and run timers until neither side has anything to say."""
        for _ in range(500):
            moved = self._carry(self.client, self.server, ("client", 1))
            moved += self._carry(self.server, self.client, ("server", 1))
            self.now += 0.001
            if not moved:
                return
        raise AssertionError("the two never fall silent")

    def _carry(self, source: Connection, target: Connection, address: tuple[str, int]) -> int:
        packets = source.datagrams_to_send(self.now) if source.started else []
        for data, _ in packets:
            target.receive_datagram(data, address, self.now)
        for side in (source, target):
            while (event := side.next_event()) is not None:
                self.events[side].append(event)
        return len(packets)

    def received(self, side: Connection, stream_id: int) -> int:
        return sum(
            len(event.data)
            for event in self.events[side]
            if isinstance(event, StreamDataReceived) and event.stream_id == stream_id
        )


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_private_names_are_there(pair: Pair) -> None:
    h3 = Http3(pair.client)
    owners: dict[str, object] = {
        "connection": pair.client,
        "loss": pair.client._loss,
        "sender": QuicStreamSender(0, True),
        "h3": h3,
        "recovery": pair.client._loss,
        "tls": pair.client.tls,
    }
    missing = [
        f"{owner}.{name}"
        for owner, names in PRIVATE.items()
        for name in names
        if not hasattr(owners[owner], name)
    ]
    assert not missing, "aioquic changed; look at transport/quic/connection.py"


def test_every_private_name_used_is_listed() -> None:
    source = Path(connection.__file__).read_text()
    listed = {name for names in PRIVATE.values() for name in names}
    kept = "_asked_at|_behind|_challenged_at|_held|_moved_at|_native|_new_id|_origin|_pad_ping"
    kept += "|_tickets|_unanswered|_value"
    own = set(re.findall(rf"def (_\w+)|self\.({kept})\b", source))
    mine = {name for found in own for name in found}
    used = set(re.findall(r"\.(_[a-z]\w+)", source)) - mine
    assert used <= listed


def test_what_only_a_handshake_needs_is_given_back(pair: Pair) -> None:
    server = pair.server
    assert not server._crypto_buffers
    assert [space.is_application_data for space in server._loss.spaces] == [True]
    for keys in (server._cryptos[Epoch.HANDSHAKE], *server._cryptos_initial.values()):
        assert not keys.recv.is_valid()
    assert not isinstance(server.tls, Context)


def test_late_packets_of_a_handshake_change_nothing(pair: Pair) -> None:
    """Also not for other connections, which share what is dead."""
    client, server = QuicPacketType.INITIAL, QuicPacketType.HANDSHAKE
    for kind in (client, server):
        size = 1_200
        header = encode_long_header(pair.server.host_cid, kind, size)
        pair.server.receive_datagram(header.ljust(size, b"x"), ("client", 1), pair.now)
    assert pair.server.end is None
    pair.client.send_stream_data(0, b"still there")
    pair.exchange()
    assert pair.received(pair.server, 0) == 11
    assert not connection._DEAD_KEYS.recv.is_valid()
    assert connection._DEAD_SPACE.expected_packet_number == 0


def test_tls_after_the_handshake_answers_with_an_alert(pair: Pair) -> None:
    pair.client._crypto_streams[Epoch.ONE_RTT].sender.write(b"\x01\x00\x00\x00")
    pair.exchange()
    assert pair.server.end is not None
    assert 0x100 <= pair.server.end[0] < 0x200


def test_each_kind_of_frame_still_reaches_its_connection(pair: Pair) -> None:
    raw = QuicConnection(configuration=configuration(is_client=True))
    made = raw._QuicConnection__frame_handlers
    for kind, (handler, epochs) in made.items():
        ours, at = pair.server._QuicConnection__frame_handlers[kind]
        assert (ours.__func__.__name__, ours.__self__, at) == (
            handler.__name__,
            pair.server,
            epochs,
        )
    with pytest.raises(KeyError):
        pair.server._QuicConnection__frame_handlers[0x3F]


def encode_long_header(destination: bytes, kind: QuicPacketType, size: int) -> bytes:
    """The head of a packet of version 1 with an empty token, filling `size` bytes."""
    start = bytes([0xC0 | (kind.value << 4)]) + (1).to_bytes(4, "big")
    names = bytes([len(destination)]) + destination + b"\x00"
    token = b"\x00" if kind is QuicPacketType.INITIAL else b""
    left = size - len(start + names + token) - 2
    return start + names + token + (0x4000 | left).to_bytes(2, "big")


def test_settings_for_safari(pair: Pair) -> None:
    settings = Http3(pair.server).sent_settings
    assert settings is not None
    assert settings[0xC671706A] == 1
    assert settings[0x14E9CD29] == 1
    assert settings[0x2B603742] == 1
    assert 0x2C7CF000 not in settings


def test_reply_carries_the_acknowledgement(pair: Pair) -> None:
    pair.client.send_stream_data(0, b"ping")
    for data, _ in pair.client.datagrams_to_send(pair.now):
        pair.server.receive_datagram(data, ("client", 1), pair.now)
    pair.server.send_stream_data(0, b"pong")
    assert len(pair.server.datagrams_to_send(pair.now)) == 1
    assert all(space.ack_at is None for space in pair.server._loss.spaces if not space.discarded)


def test_unread_stream_stops_its_sender_only(pair: Pair) -> None:
    size = STREAM_WINDOW * 3
    pair.server.hold(0, size)  # nobody takes a byte
    pair.client.send_stream_data(0, bytes(size))
    pair.client.send_stream_data(4, bytes(size))
    pair.exchange()
    assert pair.received(pair.server, 0) == STREAM_WINDOW
    assert pair.received(pair.server, 4) == size
    assert pair.server.release(0, size)
    pair.exchange()
    assert pair.received(pair.server, 0) == size


def test_connection_credit_has_a_ceiling(pair: Pair) -> None:
    pair.client.send_stream_data(0, bytes(CONNECTION_WINDOW * 2))
    pair.exchange()
    limit = pair.server._local_max_data
    assert pair.received(pair.server, 0) == CONNECTION_WINDOW * 2
    assert limit.value - limit.used <= CONNECTION_WINDOW


def test_unacked_counts_what_a_stalled_reader_leaves(pair: Pair) -> None:
    pair.client.send_stream_data(0, b"hello")
    pair.exchange()
    pair.client.hold(0, STREAM_WINDOW * 2)
    pair.server.send_stream_data(0, bytes(STREAM_WINDOW * 2))
    pair.exchange()
    assert pair.server.unacked(0) == STREAM_WINDOW
    pair.server.reset_stream(0, 1)
    assert pair.server.unacked(0) == 0
    assert not pair.server.can_send(0)


def test_too_many_streams_cut_the_peer(pair: Pair) -> None:
    pair.client._remote_max_streams_bidi = 10_000  # a client that does not care
    pair.client.send_stream_data(4 * (PEER_BIDI + 1), b"x")
    pair.exchange()
    assert pair.server.end is not None
    assert pair.server.end[0] == 4  # STREAM_LIMIT_ERROR


@pytest.mark.parametrize("size", [1, 1168, 1169])
def test_largest_datagram_passes(pair: Pair, size: int) -> None:
    assert pair.client.datagram_room(0) == 1169
    Http3(pair.client).send_datagram(0, bytes(size))
    pair.exchange()
    assert any(isinstance(event, DatagramFrameReceived) for event in pair.events[pair.server])


def test_oversized_datagram_does_not_jam_the_others(pair: Pair) -> None:
    pair.client.send_datagram_frame(bytes(1190))
    pair.client.send_datagram_frame(b"small")
    pair.exchange()
    got = [e.data for e in pair.events[pair.server] if isinstance(e, DatagramFrameReceived)]
    assert got == [b"small"]
    assert pair.client.datagrams_dropped == 1


def test_queue_of_datagrams_drops_the_oldest(pair: Pair) -> None:
    for number in range(QUEUED_DATAGRAMS + 2):
        pair.client.send_datagram_frame(b"%d" % number)
    assert pair.client.datagrams_dropped == 2
    pair.exchange()
    got = [e.data for e in pair.events[pair.server] if isinstance(e, DatagramFrameReceived)]
    assert got[0] == b"2"
    assert len(got) == QUEUED_DATAGRAMS


def test_endless_header_frame_closes_the_connection(pair: Pair) -> None:
    server = Http3(pair.server)
    frame = encode_uint_var(1) + encode_uint_var(1 << 30)
    pair.client.send_stream_data(0, frame + bytes(20_000))
    pair.exchange()
    for event in pair.events[pair.server]:
        server.handle_event(event)  # type: ignore[arg-type]
    assert pair.server.end is not None
    assert pair.server.end[0] == connection.H3_EXCESSIVE_LOAD


def test_finished_session_streams_are_forgotten(pair: Pair) -> None:
    server, client = Http3(pair.server), Http3(pair.client)
    for _ in range(10):
        stream_id = client.open_session_stream(0)
        pair.client.send_stream_data(stream_id, b"hello", end_stream=True)
        pair.exchange()
        events, pair.events[pair.server] = pair.events[pair.server], []
        for event in events:
            server.handle_event(event)  # type: ignore[arg-type]
        pair.server.send_stream_data(stream_id, b"bye", end_stream=True)
        server.end_sending(stream_id)
        pair.exchange()
    assert server.streams_kept == 3  # control, encoder, decoder


def test_end_is_known_before_the_draining_is_over(pair: Pair) -> None:
    pair.client.close(0x100, reason_phrase="bye")
    pair.exchange()
    assert pair.server.end == (0x100, "bye")
    assert not any(isinstance(e, ConnectionTerminated) for e in pair.events[pair.server])


def test_certificate_is_there_for_the_hash(pair: Pair) -> None:
    certificate = pair.client.peer_certificate
    assert certificate.not_valid_after_utc > dt.datetime.now(dt.UTC)
