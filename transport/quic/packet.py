"""The part of a QUIC packet that is the same in all versions (RFC 8999), and the answer to a
version that we do not speak.

What holds always: parsing never raises; the reply is never larger than what it answers; a Version
Negotiation packet is never answered (RFC 9000 section 6.1), so two servers cannot be made to talk.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from aioquic.quic.packet import QuicProtocolVersion, encode_quic_version_negotiation
from msgspec import Struct

from transport.quic.aio.bounds import CONNECTION_ID_LENGTH

SUPPORTED_VERSIONS = (int(QuicProtocolVersion.VERSION_1), int(QuicProtocolVersion.VERSION_2))
MIN_INITIAL = 1_200
"""RFC 9000 section 14.1: a smaller Initial starts nothing, a smaller unknown version is ignored."""


class Header(Struct, frozen=True):
    """`version` is None for a short header; `source` is empty for one."""

    destination: bytes
    source: bytes = b""
    version: int | None = None
    is_initial: bool = False


def parse(data: bytes) -> Header | None:
    """The header of the first packet in a datagram, or None for what is no QUIC at all."""
    if len(data) < 1 + CONNECTION_ID_LENGTH:
        return None
    first = data[0]
    if not first & 0x80:
        return Header(data[1 : 1 + CONNECTION_ID_LENGTH]) if first & 0x40 else None
    version = int.from_bytes(data[1:5], "big")
    destination, at = _connection_id(data, 5)
    source, at = _connection_id(data, at)
    if destination is None or source is None:
        return None
    return Header(destination, source, version, _is_initial(first, version))


def version_negotiation(header: Header, size: int) -> bytes | None:
    """The answer to a datagram of `size` bytes in an unknown version; None where none is due."""
    if not header.version or size < MIN_INITIAL:
        return None
    return encode_quic_version_negotiation(
        source_cid=header.destination,
        destination_cid=header.source,
        supported_versions=list(SUPPORTED_VERSIONS),
    )


def _connection_id(data: bytes, at: int) -> tuple[bytes | None, int]:
    if at >= len(data):
        return None, at
    end = at + 1 + data[at]
    return (data[at + 1 : end], end) if end <= len(data) else (None, end)


def _is_initial(first: int, version: int) -> bool:
    kind = (first & 0x30) >> 4
    return kind == (1 if version == QuicProtocolVersion.VERSION_2 else 0)
