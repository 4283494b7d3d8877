"""The generator's few bytes of HTTP/3, held against aioquic's decoder: another implementation."""

from __future__ import annotations

import pylsqpack
import pytest

from bench.load import h3
from transport.wire import varint


def fields(frame: bytes) -> list[tuple[bytes, bytes]]:
    kind, at = varint.decode(frame, 0) or (0, 0)
    length, at = varint.decode(frame, at) or (0, 0)
    assert kind == 1
    assert len(frame) == at + length
    return pylsqpack.Decoder(0, 0).feed_header(0, frame[at:])[1]


def test_connect_asks_for_a_webtransport_session() -> None:
    assert fields(h3.connect("shop.example:8443", "/v1/live")) == [
        (b":method", b"CONNECT"),
        (b":scheme", b"https"),
        (b":authority", b"shop.example:8443"),
        (b":path", b"/v1/live"),
        (b":protocol", b"webtransport"),
    ]


def answer(status: bytes) -> bytes:
    encoder = pylsqpack.Encoder()
    encoder.apply_settings(0, 0)
    _, block = encoder.encode(0, [(b":status", status), (b"server", b"x")])
    return b"\x01" + varint.encode(len(block)) + block


def test_an_answer_is_taken_as_what_it_says_once_it_is_whole() -> None:
    whole = answer(b"200")
    assert h3.accepted(whole) is True
    assert h3.accepted(answer(b"403")) is False
    assert all(h3.accepted(whole[:cut]) is None for cut in range(len(whole)))


def test_what_does_not_fit_is_refused_here() -> None:
    with pytest.raises(ValueError, match="too long"):
        h3.connect("x" * 200, "/")
