"""The server's half of WebSocket framing (RFC 6455 section 5). Sans-IO, and small when it is idle.

wsproto and websockets do this well; one of their connections takes 0.9 to 1.8 KiB while nothing
happens, this one takes a hundred bytes, and a server holds a hundred thousand of them.

What holds always: bytes in any cut give the same parts; what the RFC forbids a client, and a text
message, which docs/protocol.md forbids, is a fault; after one, and after a Close frame, nothing
that comes is looked at.
Bound: a message, whole or in fragments, over MAX_MESSAGE is refused as FRAME_TOO_LARGE as soon as
its header says so. No more than that is ever held.

May import: errors.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from msgspec import Struct

from transport.errors import CloseCode, RemoteProtocolError

try:
    from websockets.speedups import apply_mask
except ImportError:  # Where there is no compiled one; slower, and the same.
    from websockets.utils import apply_mask

MAX_MESSAGE = 131_072
"""Bytes of a message. Twice what a frame may have, so that the machine can say what was wrong."""
MAX_CONTROL = 125
"""Bytes in a Close, Ping or Pong frame (section 5.5)."""
NO_STATUS = 1005
"""The code of a Close frame without one (section 7.4.1)."""

_LENGTH_16, _LENGTH_64 = 126, 127
_FIN, _RESERVED, _OPCODE, _MASKED = 0x80, 0x70, 0x0F, 0x80


class Opcode(IntEnum):
    """Section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_KNOWN = frozenset(Opcode)


class Part(Struct, frozen=True):
    """What a client said: a BINARY message, a PING, or its CLOSE.

    `data` is the message or the ping's payload; of a Close, its reason, and `code` its code.
    """

    kind: Opcode
    data: bytes
    code: int = NO_STATUS


class FrameReader:
    """Bytes in, parts out. `fault` is what was wrong, once something was."""

    __slots__ = ("_held", "_message", "fault", "over")

    def __init__(self) -> None:
        self.fault: RemoteProtocolError | None = None
        self._held: bytearray | None = None
        """The beginning of a frame."""
        self._message: bytearray | None = None
        """The fragments of a message that has more to come."""
        self.over = False
        """Whether there was a fault or a Close frame."""

    def receive(self, data: bytes) -> list[Part]:
        """Take bytes; return what is whole now."""
        parts: list[Part] = []
        if self.over:
            return parts
        held: bytes | bytearray = data
        if self._held is not None:
            self._held += data
            held = self._held
        at = 0
        try:
            while not self.over and (end := self._frame(held, at, parts)):
                at = end
        except RemoteProtocolError as fault:
            self.fault, self.over = fault, True
        if self.over or at == len(held):
            self._held = None
        elif at or self._held is None:
            self._held = bytearray(held[at:])
        return parts

    def _frame(self, held: bytes | bytearray, at: int, parts: list[Part]) -> int:
        """Take the frame at `at`; return where the next one begins, or 0 for one not whole yet."""
        if len(held) < at + 2:
            return 0
        first, second = held[at], held[at + 1]
        opcode = _checked(first, second)
        size, start = second & ~_MASKED, at + 2
        if size >= _LENGTH_16:
            width = 2 if size == _LENGTH_16 else 8
            if len(held) < start + width:
                return 0
            size = _long(held, start, width)
            start += width
        joined = size + (len(self._message) if self._message is not None else 0)
        if opcode < Opcode.CLOSE and joined > MAX_MESSAGE:
            raise RemoteProtocolError(CloseCode.FRAME_TOO_LARGE, "message too long")
        end = start + 4 + size
        if len(held) < end:
            return 0
        payload = apply_mask(held[start + 4 : end], held[start : start + 4])
        self._take(opcode, bool(first & _FIN), payload, parts)
        return end

    def _take(self, opcode: int, final: bool, payload: bytes, parts: list[Part]) -> None:
        if opcode == Opcode.CLOSE:
            self.over = True
            parts.append(_close(payload))
        elif opcode == Opcode.PING:
            parts.append(Part(Opcode.PING, payload))
        elif opcode == Opcode.PONG:
            pass  # Unasked, and allowed (section 5.5.3).
        elif opcode == Opcode.TEXT:
            raise _fault("text message")
        elif (opcode == Opcode.CONTINUATION) != (self._message is not None):
            raise _fault("fragments out of order")
        elif self._message is not None:
            self._message += payload
            if final:
                parts.append(Part(Opcode.BINARY, bytes(self._message)))
                self._message = None
        elif final:
            parts.append(Part(Opcode.BINARY, payload))
        else:
            self._message = bytearray(payload)


def binary(data: bytes) -> bytes:
    """A binary message in one frame."""
    size = len(data)
    if size < _LENGTH_16:
        return bytes((_FIN | Opcode.BINARY, size)) + data
    if size < 1 << 16:
        return struct.pack(">BBH", _FIN | Opcode.BINARY, _LENGTH_16, size) + data
    return struct.pack(">BBQ", _FIN | Opcode.BINARY, _LENGTH_64, size) + data


def pong(payload: bytes) -> bytes:
    """The answer to a ping."""
    return bytes((_FIN | Opcode.PONG, len(payload))) + payload


def close(code: int, reason: bytes) -> bytes:
    """A Close frame; without a code when there is none to say."""
    payload = b"" if code == NO_STATUS else code.to_bytes(2, "big") + reason
    assert len(payload) <= MAX_CONTROL
    return bytes((_FIN | Opcode.CLOSE, len(payload))) + payload


def _checked(first: int, second: int) -> int:
    """The opcode of a frame that a client may send."""
    opcode = first & _OPCODE
    if first & _RESERVED or opcode not in _KNOWN:
        raise _fault("reserved bits or opcodes")
    if not second & _MASKED:
        raise _fault("unmasked frame")
    if opcode >= Opcode.CLOSE and (not first & _FIN or second & ~_MASKED > MAX_CONTROL):
        raise _fault("control frame too long or in fragments")
    return opcode


def _long(held: bytes | bytearray, start: int, width: int) -> int:
    """An extended length, which must not fit in a shorter one."""
    size = int.from_bytes(held[start : start + width], "big")
    if size < (_LENGTH_16 if width == 2 else 1 << 16):
        raise _fault("length not in its shortest form")
    return size


def _close(payload: bytes) -> Part:
    if not payload:
        return Part(Opcode.CLOSE, b"")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not _may_be_sent(code):
        raise _fault("close code that may not be sent")
    return Part(Opcode.CLOSE, payload[2:], code)


def _may_be_sent(code: int) -> bool:
    """Section 7.4, and the registry of RFC 6455 section 11.7."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def _fault(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(CloseCode.PROTOCOL_ERROR, f"bad WebSocket: {what}")
