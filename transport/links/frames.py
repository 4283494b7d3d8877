"""What two ends of a link say to each other: MessagePack arrays, the first item says which.

The dialler says `hello`, the listener answers with its own. Both are the first frame of their side.
The dialler's next frame tells the listener that the link is used: of two that were tried, the other
is closed. Section "On the wire" of docs/relay.md specifies it.

What holds always: `decode(encode(frame)) == frame`; any other input raises RemoteProtocolError.
May import: base's bounds, errors, wire's varint.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from transport.errors import CloseCode, RemoteProtocolError
from transport.links.base import MAX_KEY, MAX_MESSAGE
from transport.wire import varint

VERSION = 1
MAX_FRAME = MAX_MESSAGE + MAX_KEY + 16
"""Bytes of a frame: the largest message and what is around it."""
MAX_REASON = 200
"""Characters of a reason that are sent."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
Key = Annotated[bytes, Meta(max_length=MAX_KEY)]
Data = Annotated[bytes, Meta(max_length=MAX_MESSAGE)]


class Hello(Struct, frozen=True, array_like=True, tag=0):
    """The first frame of each side."""

    version: Count


class Carry(Struct, frozen=True, array_like=True, tag=1):
    """A message."""

    key: Key
    data: Data


class Ping(Struct, frozen=True, array_like=True, tag=2):
    """Are you there? `at` is the sender's own clock in microseconds, and comes back."""

    at: Count


class Pong(Struct, frozen=True, array_like=True, tag=3):
    """The answer."""

    at: Count


class Report(Struct, frozen=True, array_like=True, tag=4):
    """What became of the peer's datagrams, as in docs/protocol.md section 4."""

    upto: Count
    lost: Count
    runs: Count
    useful: Count
    wasted: Count


class Close(Struct, frozen=True, array_like=True, tag=5):
    """The end. The last frame of its side."""

    code: Count
    reason: str


Frame = Hello | Carry | Ping | Pong | Report | Close

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """A frame as bytes."""
    return _encoder.encode(frame)


def decode(data: bytes) -> Frame:
    """Raises RemoteProtocolError, which carries the close code, on any fault."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeError) as error:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, f"bad frame: {error}") from None


def farewell(code: int, reason: str) -> bytes:
    """A whole stream that only says why there is no link."""
    frame = encode(Close(int(code), reason[:MAX_REASON]))
    return varint.encode(len(frame)) + frame
