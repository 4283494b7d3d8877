from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transport.quic import packet


def long_header(version: int, destination: bytes, source: bytes, first: int = 0xC0) -> bytes:
    head = bytes([first]) + version.to_bytes(4, "big")
    return head + bytes([len(destination)]) + destination + bytes([len(source)]) + source


@given(st.binary(max_size=100))
def test_parsing_never_raises(data: bytes) -> None:
    packet.parse(data)


def test_short_header() -> None:
    assert packet.parse(b"\x40" + b"12345678" + bytes(20)) == packet.Header(b"12345678")


def test_without_fixed_bit_it_is_rubbish() -> None:
    assert packet.parse(b"\x00" + b"12345678" + bytes(20)) is None


def test_initial_of_both_versions() -> None:
    for version, first in ((1, 0xC0), (0x6B3343CF, 0xD0)):
        header = packet.parse(long_header(version, b"12345678", b"abc", first))
        assert header is not None
        assert header.is_initial
        assert (header.destination, header.source) == (b"12345678", b"abc")


def test_truncated_connection_id_is_rubbish() -> None:
    assert packet.parse(long_header(1, b"12345678", b"abc")[:-1]) is None


def test_unknown_version_is_answered_once_it_is_large_enough() -> None:
    header = packet.parse(long_header(0x1A2A3A4A, b"12345678", b"abc"))
    assert header is not None
    reply = packet.version_negotiation(header, 1200)
    assert reply is not None
    answered = packet.parse(reply)
    assert answered is not None
    assert answered.version == 0
    assert (answered.destination, answered.source) == (b"abc", b"12345678")
    assert packet.version_negotiation(header, 1199) is None


def test_version_negotiation_is_never_answered() -> None:
    header = packet.parse(long_header(0, b"12345678", b"abc"))
    assert header is not None
    assert packet.version_negotiation(header, 1200) is None
