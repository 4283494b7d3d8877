"""As much of HTTP/3 as one WebTransport session needs, as bytes. Sans-IO.

The generator opens one session per connection and nothing else, so its streams have fixed numbers
and its requests fixed bytes; the QPACK used is static (RFC 9204 with a table of no size).

    stream 0   CONNECT, its answer, then capsules          stream 2   our control stream
    stream 4   the session's one bidirectional stream       datagrams  quarter stream ID 0, payload

May import: the wire's varint.
"""

from __future__ import annotations

from transport.wire import varint

CONNECT_STREAM = 0
CONTROL_STREAM = 2
SESSION_STREAM = 4
NO_ERROR = 0x100

_HEADERS = 0x01
_SETTINGS = 0x04
_STATUS_200 = 0xC0 | 25
"""An indexed field line of the static table (RFC 9204 appendix A)."""
_PREFIX = b"\x00\x00"
_OUR_SETTINGS = {0x1: 0, 0x7: 0, 0x8: 1, 0x33: 1, 0x2B603742: 1}
"""QPACK without a table or blocking, extended CONNECT, datagrams, WebTransport (draft 2)."""

SESSION_PREFIX = varint.encode(0x41) + varint.encode(CONNECT_STREAM)
DATAGRAM_PREFIX = varint.encode(CONNECT_STREAM // 4)


def control() -> bytes:
    """What opens the control stream."""
    settings = b"".join(varint.encode(k) + varint.encode(v) for k, v in _OUR_SETTINGS.items())
    return b"\x00" + _frame(_SETTINGS, settings)


def connect(authority: str, path: str) -> bytes:
    """The extended CONNECT that asks for a session."""
    fields = (
        bytes([0xC0 | 15, 0xC0 | 23])  # :method CONNECT, :scheme https
        + b"\x50"
        + _string(authority)
        + b"\x51"
        + _string(path)
        + bytes([0x27, len(":protocol") - 7])
        + b":protocol"
        + _string("webtransport")
    )
    return _frame(_HEADERS, _PREFIX + fields)


def accepted(data: bytes) -> bool | None:
    """Whether these first bytes of the answer say 200; None when they are not all there."""
    kind = varint.decode(data, 0)
    length = varint.decode(data, kind[1]) if kind else None
    if kind is None or length is None or len(data) < sum(length):
        return None
    return kind[0] == _HEADERS and data[length[1] : length[1] + 3] == _PREFIX + bytes([_STATUS_200])


def _frame(kind: int, payload: bytes) -> bytes:
    return varint.encode(kind) + varint.encode(len(payload)) + payload


def _string(text: str) -> bytes:
    """A literal without Huffman coding; ours are all under 127 bytes."""
    data = text.encode()
    if len(data) > 126:
        raise ValueError(f"{text!r} is too long for the load generator")
    return bytes([len(data)]) + data
