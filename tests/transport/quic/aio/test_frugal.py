"""What is given back after the handshake, and what stands in for the rest."""

from __future__ import annotations

import pytest
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType
from aioquic.tls import Context, Epoch

from tests.transport.support.pair import Pair
from transport.quic.aio.configuration import configuration
from transport.quic.aio.frugal import DEAD_KEYS, DEAD_SPACE


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
    assert not DEAD_KEYS.recv.is_valid()
    assert DEAD_SPACE.expected_packet_number == 0


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
