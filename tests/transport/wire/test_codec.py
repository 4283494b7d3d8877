"""The codec as a whole: what it writes it reads back, and what it cannot read it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.errors import CloseCode, RemoteProtocolError, advice
from transport.wire import codec
from transport.wire.frames import TRAITS, Frame, Position, Resumed

uints = st.integers(0, 2**53 - 1)
maps = st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=9), max_size=3)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "client_id": st.uuids(),
    "conversation": st.uuids(),
    "session": st.uuids(),
    "on": st.booleans(),
    "retry_after": st.none() | st.integers(0, 2**40),
    "call": st.none() | st.integers(0, 2**40),
    "resume": st.lists(st.builds(Position, st.uuids(), uints, uints)).map(tuple),
    "resumed": st.lists(st.builds(Resumed, st.uuids(), uints, uints, st.booleans())).map(tuple),
    **dict.fromkeys(["body", "state", "detail", "params", "value"], maps.map(codec.pack)),
}
TEXTS = {"token", "client", "me", "kind", "author", "who", "method", "code_", "message", "reason"}


def field(kind: type, name: str) -> st.SearchStrategy[Any]:
    if (kind.__name__, name) in {("Presence", "state"), ("Refused", "code")} or name in TEXTS:
        return st.text(max_size=20)
    if kind.__name__ == "Refused" and name == "client_id":
        return st.none() | st.uuids()
    return BY_NAME.get(name, uints)


frames = st.one_of(
    st.builds(kind, **{name: field(kind, name) for name in kind.__struct_fields__})
    for kind in TRAITS
)


def fault(data: bytes) -> CloseCode | None:
    """The close code that `data` earns; None for a good frame."""
    try:
        codec.decode(data)
    except RemoteProtocolError as error:
        return error.code
    return None


@given(frames)
@settings(max_examples=300)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    data = codec.encode(frame)
    assert codec.encode(codec.decode(data)) == data
    assert type(codec.decode(data)) is type(frame)


@pytest.mark.parametrize("depth", [10, 2_000, 60_000])
def test_deep_nesting_is_no_way_to_break_the_decoder(depth: int) -> None:
    data = b"\x95\x02" + b"\xc4\x10" + b"\0" * 16 + b"\xc4\x10" + b"\0" * 16 + b"\xa1m"
    data += b"\x91" * depth + b"\xc0"
    assert fault(data) in (None, CloseCode.PROTOCOL_ERROR)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_frame_or_a_remote_error(data: bytes) -> None:
    assert fault(data) in (None, CloseCode.PROTOCOL_ERROR)


def test_every_close_code_has_its_advice() -> None:
    advised = {code.name: advice(code).name for code in CloseCode}
    assert advised["SLOW_READER"] == advised["ABNORMAL"] == advised["GOING_AWAY"] == "RESUME"
    assert advised["TOKEN_EXPIRED"] == advised["UNAUTHENTICATED"] == "REAUTHENTICATE"
    assert advised["PROTOCOL_ERROR"] == advised["NORMAL"] == "STOP"
    assert advice(1001).name == advice(4999).name == "RESUME"
