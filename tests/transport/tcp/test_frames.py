"""WebSocket framing, without a loop: what clients may say, and everything they may not."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode
from wsproto.frame_protocol import FrameProtocol
from wsproto.frame_protocol import Opcode as WsprotoOpcode

from transport.errors import CloseCode
from transport.tcp import frames
from transport.tcp.frames import MAX_MESSAGE, NO_STATUS, FrameReader, Opcode, Part


def masked(opcode: int, payload: bytes, *, fin: bool = True, bits: int = 0) -> bytes:
    """As a client sends it, by another implementation."""
    frame = Frame(TheirOpcode(opcode), payload, fin=fin)
    data = bytearray(frame.serialize(mask=True))
    data[0] |= bits
    return bytes(data)


def read(data: bytes) -> tuple[list[Part], int | None]:
    reader = FrameReader()
    parts = reader.receive(data)
    return parts, None if reader.fault is None else int(reader.fault.code)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, MAX_MESSAGE])
def test_a_message_of_any_size(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert read(masked(2, data)) == ([Part(Opcode.BINARY, data)], None)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, MAX_MESSAGE])
def test_another_implementation_reads_what_we_write(size: int) -> None:
    data = random.Random(size).randbytes(size)
    other = FrameProtocol(client=True, extensions=[])
    other.receive_bytes(frames.binary(data) + frames.pong(b"p") + frames.close(4001, b"slow"))
    found = list(other.received_frames())
    message = b"".join(frame.payload for frame in found if frame.opcode is WsprotoOpcode.BINARY)
    assert message == data
    assert bytes(found[-2].payload) == b"p"
    assert found[-1].payload == (4001, "slow")


SCRIPT = (
    masked(2, b"one")
    + masked(9, b"ping")
    + masked(2, b"tw", fin=False)
    + masked(10, b"a pong that nobody asked for")
    + masked(0, b"", fin=False)
    + masked(0, b"o" * 300)
    + masked(8, b"\x03\xe8bye")
    + b"what comes after a Close is not looked at"
)
SAID = [
    Part(Opcode.BINARY, b"one"),
    Part(Opcode.PING, b"ping"),
    Part(Opcode.BINARY, b"tw" + b"o" * 300),
    Part(Opcode.CLOSE, b"bye", 1000),
]


@given(cuts=st.lists(st.integers(0, len(SCRIPT)), max_size=12))
def test_any_cut_gives_the_same_parts(cuts: list[int]) -> None:
    reader, parts = FrameReader(), []
    edges = [0, *sorted(cuts), len(SCRIPT)]
    for start, end in pairwise(edges):
        parts += reader.receive(SCRIPT[start:end])
    assert parts == SAID
    assert reader.fault is None


def test_byte_by_byte() -> None:
    reader, parts = FrameReader(), []
    for byte in SCRIPT:
        parts += reader.receive(bytes([byte]))
    assert parts == SAID


def test_a_reader_at_rest_holds_nothing() -> None:
    reader = FrameReader()
    reader.receive(masked(2, b"a" * 1000)[:500])
    reader.receive(masked(2, b"a" * 1000)[500:])
    assert reader._held is None
    assert reader._message is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x82\x03abc", id="not masked"),
        pytest.param(masked(2, b"a", bits=0x40), id="compressed"),
        pytest.param(masked(2, b"a", bits=0x01), id="opcode 3"),
        pytest.param(masked(9, b"a", bits=0x02), id="opcode 11"),
        pytest.param(masked(1, b"text"), id="text"),
        pytest.param(masked(1, b"te", fin=False), id="a text's first fragment"),
        pytest.param(masked(0, b"a"), id="continues nothing"),
        pytest.param(masked(2, b"a", fin=False) + masked(2, b"b"), id="begins inside another"),
        pytest.param(b"\x09\x81aaaaa", id="ping in fragments"),
        pytest.param(b"\x89\xfe\x00\x7e" + b"a" * 130, id="ping too long"),
        pytest.param(b"\x82\xfe\x00\x05" + b"a" * 9, id="16 bits for a small length"),
        pytest.param(b"\x82\xff" + (65_535).to_bytes(8, "big"), id="64 bits for a middling one"),
        pytest.param(masked(8, b"\x03"), id="half a close code"),
        pytest.param(b"\x88\x82\0\0\0\0" + (1005).to_bytes(2, "big"), id="1005 is never sent"),
        pytest.param(b"\x88\x82\0\0\0\0" + (999).to_bytes(2, "big"), id="999 is no code"),
        pytest.param(b"\x88\x82\0\0\0\0" + (5000).to_bytes(2, "big"), id="5000 is none either"),
    ],
)
def test_what_the_rfc_forbids(data: bytes) -> None:
    reader = FrameReader()
    before = reader.receive(masked(2, b"before"))
    assert reader.receive(masked(2, b"beside") + data + masked(2, b"after")) == [
        Part(Opcode.BINARY, b"beside")
    ]
    assert before == [Part(Opcode.BINARY, b"before")]
    assert reader.fault is not None
    assert reader.fault.code == CloseCode.PROTOCOL_ERROR
    assert reader.over
    assert reader.receive(masked(2, b"later")) == []


def test_too_long_a_message_is_refused_by_its_header() -> None:
    header = b"\x82\xff" + (MAX_MESSAGE + 1).to_bytes(8, "big")
    assert read(header) == ([], CloseCode.FRAME_TOO_LARGE)
    assert read(b"\x82\xff" + b"\xff" * 8) == ([], CloseCode.FRAME_TOO_LARGE)


def test_too_long_a_message_in_fragments() -> None:
    reader = FrameReader()
    piece = bytes(40_000)
    reader.receive(masked(2, piece, fin=False))
    reader.receive(masked(0, piece, fin=False) + masked(0, piece, fin=False))
    assert reader.fault is None
    reader.receive(masked(0, piece)[:8])
    assert reader.fault is not None
    assert reader.fault.code == CloseCode.FRAME_TOO_LARGE


def test_a_close_without_a_code() -> None:
    assert read(masked(8, b"")) == ([Part(Opcode.CLOSE, b"", NO_STATUS)], None)
    assert frames.close(NO_STATUS, b"nothing") == b"\x88\x00"


@given(st.binary(max_size=400))
def test_rubbish_never_raises(data: bytes) -> None:
    read(data)
