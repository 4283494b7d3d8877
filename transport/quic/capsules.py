"""Capsules (RFC 9297) and error codes of WebTransport over HTTP/3. Sans-IO.

What holds always: a parser gives the same capsules however the bytes are cut; it keeps at most
MAX_CAPSULE bytes; capsules it does not know are skipped without being kept.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from aioquic._buffer import Buffer, BufferReadError
from aioquic.buffer import encode_uint_var
from msgspec import Struct

CLOSE_SESSION = 0x2843
DRAIN_SESSION = 0x78AE
MAX_REASON = 1_024
"""Bytes of the reason in WT_CLOSE_SESSION (draft-ietf-webtrans-http3 section 6)."""
MAX_CAPSULE = 4 + MAX_REASON
MAX_SKIPPED = 65_536
"""Bytes of capsules nobody knows that a session may send in all. Over it: CapsuleError."""

SESSION_GONE = 0x170D7B68
BUFFERED_STREAM_REJECTED = 0x3994BD84
_FIRST = 0x52E4A40FA8DB
_LAST = 0x52E5AC983162


class CapsuleError(Exception):
    """The peer's capsules cannot be read."""


class CloseSession(Struct, frozen=True):
    """The peer ended the session."""

    code: int
    reason: str


class Parser:
    """Bytes of the CONNECT stream in, the end of the session out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._skipped = 0

    def feed(self, data: bytes) -> CloseSession | None:
        """Take bytes; return the end when it came. What follows an end is ignored."""
        self._buffer += data
        while True:
            self._drop_skipped()
            head = self._head()
            if head is None:
                return None
            kind, length, start = head
            if kind != CLOSE_SESSION:
                self._start_skipping(start, length)
                continue
            if length > MAX_CAPSULE or length < 4:
                raise CapsuleError("WT_CLOSE_SESSION of a wrong length")
            if len(self._buffer) < start + length:
                return None
            return _close_session(bytes(self._buffer[start : start + length]))

    def _head(self) -> tuple[int, int, int] | None:
        if self._skip:
            return None
        buffer = Buffer(data=bytes(self._buffer[:16]))
        try:
            return buffer.pull_uint_var(), buffer.pull_uint_var(), buffer.tell()
        except BufferReadError:
            return None

    def _start_skipping(self, start: int, length: int) -> None:
        self._skipped += start + length
        if self._skipped > MAX_SKIPPED:
            raise CapsuleError("too many unknown capsules")
        del self._buffer[:start]
        self._skip = length

    def _drop_skipped(self) -> None:
        size = min(self._skip, len(self._buffer))
        del self._buffer[:size]
        self._skip -= size


def encode_close(code: int, reason: str) -> bytes:
    """A WT_CLOSE_SESSION capsule."""
    text = reason.encode()[:MAX_REASON].decode(errors="ignore").encode()
    body = code.to_bytes(4, "big") + text
    return encode_uint_var(CLOSE_SESSION) + encode_uint_var(len(body)) + body


def to_http_code(code: int) -> int:
    """A WebTransport application error code as HTTP/3 carries it (section 4.3 of the draft)."""
    return _FIRST + code + code // 0x1E


def from_http_code(code: int) -> int:
    """The inverse; 0 for a code that no WebTransport application sent."""
    shifted = code - _FIRST
    if not _FIRST <= code <= _LAST or (code - 0x21) % 0x1F == 0:
        return 0
    return shifted - shifted // 0x1F


def _close_session(body: bytes) -> CloseSession:
    return CloseSession(int.from_bytes(body[:4], "big"), body[4:].decode(errors="replace"))
