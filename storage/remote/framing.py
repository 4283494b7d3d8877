"""Messages in a stream of bytes: a length of four bytes, big-endian, then as many bytes.

Sans-IO. Bound: MAX_MESSAGE; a longer one is a fault of whoever sent it, and raises ValueError.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_MESSAGE = 134_217_728
"""Bytes: room for the largest answer there is, 1,000 entries of 64 KiB, and their wrapping."""
_HEADER = 4


def frame(message: bytes) -> bytes:
    """The message as it stands in the stream."""
    if len(message) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(message)} bytes; at most {MAX_MESSAGE} are allowed")
    return len(message).to_bytes(_HEADER, "big") + message


class Splitter:
    """Cuts what arrives into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; gives the messages that are whole now. Raises ValueError."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER:
                end = at + _HEADER + int.from_bytes(self._buffer[at : at + _HEADER], "big")
                if end - at - _HEADER > MAX_MESSAGE:
                    raise ValueError(f"a message of more than {MAX_MESSAGE} bytes")
                if len(self._buffer) < end:
                    break
                message = bytes(self._buffer[at + _HEADER : end])
                at = end
                yield message
        finally:
            del self._buffer[:at]
