"""What a connection says of itself, in memory."""

from __future__ import annotations

import datetime as dt

from aioquic.quic.events import ConnectionTerminated

from tests.transport.support.pair import Pair


def test_reply_carries_the_acknowledgement(pair: Pair) -> None:
    pair.client.send_stream_data(0, b"ping")
    for data, _ in pair.client.datagrams_to_send(pair.now):
        pair.server.receive_datagram(data, ("client", 1), pair.now)
    pair.server.send_stream_data(0, b"pong")
    assert len(pair.server.datagrams_to_send(pair.now)) == 1
    assert all(space.ack_at is None for space in pair.server._loss.spaces if not space.discarded)


def test_end_is_known_before_the_draining_is_over(pair: Pair) -> None:
    pair.client.close(0x100, reason_phrase="bye")
    pair.exchange()
    assert pair.server.end == (0x100, "bye")
    assert not any(isinstance(e, ConnectionTerminated) for e in pair.events[pair.server])


def test_certificate_is_there_for_the_hash(pair: Pair) -> None:
    certificate = pair.client.peer_certificate
    assert certificate.not_valid_after_utc > dt.datetime.now(dt.UTC)
