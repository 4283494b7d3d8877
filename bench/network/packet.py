"""IPv4 packets: whose they are, and changing an address with the checksums kept right.

May import: nothing of Tradewind.
"""

from __future__ import annotations

TCP, UDP = 6, 17
_CHECKSUM_AT = {TCP: 16, UDP: 6}
"""Where in its header a transport keeps the checksum that covers the addresses too."""


def is_ipv4(packet: bytes) -> bool:
    """Whether it is one at all, with a whole header."""
    return len(packet) >= 20 and packet[0] >> 4 == 4


def protocol(packet: bytes) -> int:
    """The number of the transport protocol."""
    return packet[9]


def flow_of(packet: bytes) -> bytes:
    """What packets of one flow share: protocol, addresses, ports (where there are ports)."""
    if packet[9] not in _CHECKSUM_AT:
        return packet[9:10] + packet[12:20]
    header = (packet[0] & 15) * 4
    return packet[9:10] + packet[12:20] + packet[header : header + 4]


def source(packet: bytes) -> bytes:
    """Protocol, address and port of the sender, as a key."""
    header = (packet[0] & 15) * 4
    return packet[9:10] + packet[12:16] + packet[header : header + 2]


def destination(packet: bytes) -> bytes:
    """Protocol, address and port of the receiver, as a key."""
    header = (packet[0] & 15) * 4
    return packet[9:10] + packet[16:20] + packet[header + 2 : header + 4]


def with_source(packet: bytes, address: bytes, port: bytes) -> bytes:
    """The packet as if sent from there."""
    return _rewrite(packet, 12, 0, address, port)


def with_destination(packet: bytes, address: bytes, port: bytes) -> bytes:
    """The packet as if sent to there."""
    return _rewrite(packet, 16, 2, address, port)


def _rewrite(packet: bytes, address_at: int, port_at: int, address: bytes, port: bytes) -> bytes:
    out = bytearray(packet)
    header = (packet[0] & 15) * 4
    port_at += header
    before = packet[address_at : address_at + 4]
    _adjust(out, 10, before, address)
    check = header + _CHECKSUM_AT[packet[9]]
    # A UDP checksum of zero means that there is none (RFC 768).
    if packet[9] != UDP or packet[check : check + 2] != b"\0\0":
        _adjust(out, check, before + packet[port_at : port_at + 2], address + port)
    out[address_at : address_at + 4] = address
    out[port_at : port_at + 2] = port
    return bytes(out)


def _adjust(packet: bytearray, at: int, before: bytes, after: bytes) -> None:
    """Bring a checksum up to date for words that change (RFC 1624, equation 3)."""
    total = ~int.from_bytes(packet[at : at + 2], "big") & 0xFFFF
    for i in range(0, len(before), 2):
        total += ~int.from_bytes(before[i : i + 2], "big") & 0xFFFF
        total += int.from_bytes(after[i : i + 2], "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = (~total & 0xFFFF).to_bytes(2, "big")
