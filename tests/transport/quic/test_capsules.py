from __future__ import annotations

import pytest
from aioquic.buffer import encode_uint_var
from hypothesis import given
from hypothesis import strategies as st

from transport.quic import capsules
from transport.quic.capsules import CloseSession, Parser


def capsule(kind: int, body: bytes) -> bytes:
    return encode_uint_var(kind) + encode_uint_var(len(body)) + body


def feed(parser: Parser, data: bytes, size: int) -> CloseSession | None:
    for start in range(0, len(data), size):
        close = parser.feed(data[start : start + size])
        if close is not None:
            return close
    return None


@given(st.integers(0, 2**32 - 1), st.text(max_size=100), st.integers(1, 40))
def test_close_is_the_same_however_it_is_cut(code: int, reason: str, size: int) -> None:
    data = capsule(0x78AE, b"") + capsule(0x1234, bytes(50)) + capsules.encode_close(code, reason)
    assert feed(Parser(), data, size) == CloseSession(code, reason)


def test_reason_is_cut_at_a_character() -> None:
    data = capsules.encode_close(1, "é" * 1000)
    assert Parser().feed(data) == CloseSession(1, "é" * 512)


def test_drain_is_ignored() -> None:
    assert Parser().feed(capsule(capsules.DRAIN_SESSION, b"")) is None


def test_unknown_capsules_are_bounded() -> None:
    with pytest.raises(capsules.CapsuleError):
        Parser().feed(encode_uint_var(0x1234) + encode_uint_var(1 << 40))


def test_many_unknown_capsules_are_bounded() -> None:
    many = capsule(0x1234, bytes(1000)) * 100
    with pytest.raises(capsules.CapsuleError):
        feed(Parser(), many, 500)


@pytest.mark.parametrize("length", [0, 3, 2000])
def test_close_of_a_wrong_length(length: int) -> None:
    with pytest.raises(capsules.CapsuleError):
        Parser().feed(encode_uint_var(capsules.CLOSE_SESSION) + encode_uint_var(length))


@given(st.integers(0, 2**32 - 1))
def test_codes_survive_the_way_there_and_back(code: int) -> None:
    http = capsules.to_http_code(code)
    assert (http - 0x21) % 0x1F != 0  # never a reserved codepoint
    assert capsules.from_http_code(http) == code


def test_first_codes_are_those_of_the_draft() -> None:
    assert capsules.to_http_code(0) == 0x52E4A40FA8DB
    assert capsules.to_http_code(2**32 - 1) == 0x52E5AC983162


def test_code_of_nobody_is_zero() -> None:
    assert capsules.from_http_code(0x10C) == 0
