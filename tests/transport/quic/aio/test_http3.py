"""HTTP/3 on a connection, in memory."""

from __future__ import annotations

from aioquic.buffer import encode_uint_var

from tests.transport.support.pair import Pair
from transport.quic.aio.http3 import H3_EXCESSIVE_LOAD, Http3


def test_settings_for_safari(pair: Pair) -> None:
    settings = Http3(pair.server).sent_settings
    assert settings is not None
    assert settings[0xC671706A] == 1
    assert settings[0x14E9CD29] == 1
    assert settings[0x2B603742] == 1
    assert 0x2C7CF000 not in settings


def test_endless_header_frame_closes_the_connection(pair: Pair) -> None:
    server = Http3(pair.server)
    frame = encode_uint_var(1) + encode_uint_var(1 << 30)
    pair.client.send_stream_data(0, frame + bytes(20_000))
    pair.exchange()
    for event in pair.events[pair.server]:
        server.handle_event(event)  # type: ignore[arg-type]
    assert pair.server.end is not None
    assert pair.server.end[0] == H3_EXCESSIVE_LOAD


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
