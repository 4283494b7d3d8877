"""Frames to bytes and back, with the limits that every decoder enforces.

What holds always: `decode(encode(frame)) == frame`; any other input raises `RemoteProtocolError`
and nothing else, whatever the bytes are.
May import: frames, errors.
"""

from __future__ import annotations

import msgspec

from transport.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from transport.wire.frames import Frame

MAX_FRAME = 65_536
"""Bytes of one encoded frame, either direction. Over it: FRAME_TOO_LARGE."""

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Encode one frame. Raises LocalProtocolError when it would exceed MAX_FRAME."""
    data = _encoder.encode(frame)
    if len(data) > MAX_FRAME:
        raise LocalProtocolError(f"{type(frame).__name__} of {len(data)} bytes exceeds {MAX_FRAME}")
    return data


def decode(data: bytes) -> Frame:
    """Decode one frame. Raises RemoteProtocolError, which carries the close code, on any fault."""
    if len(data) > MAX_FRAME:
        raise RemoteProtocolError(
            CloseCode.FRAME_TOO_LARGE, f"frame of {len(data)} bytes exceeds {MAX_FRAME}"
        )
    try:
        return _decoder.decode(data)
    except (
        msgspec.DecodeError,
        msgspec.ValidationError,
        RecursionError,
        UnicodeDecodeError,
    ) as error:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, f"bad frame: {error}") from None


def pack(value: object) -> msgspec.Raw:
    """Encode a body, a call's parameters or a result's value as MessagePack, UUIDs as 16 bytes."""
    return msgspec.Raw(_encoder.encode(value))
