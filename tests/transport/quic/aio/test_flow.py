"""Flow control, in memory."""

from __future__ import annotations

from tests.transport.support.pair import Pair
from transport.quic.aio.bounds import CONNECTION_WINDOW, PEER_BIDI, STREAM_WINDOW


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
