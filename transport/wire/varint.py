"""Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes, 62 bits.

May import: nothing.
"""

from __future__ import annotations

MAX = (1 << 62) - 1


def encode(value: int) -> bytes:
    """Encode in the fewest bytes. Raises ValueError outside 0 ≤ value ≤ 2^62 - 1."""
    if value < 0 or value > MAX:
        raise ValueError(f"{value} does not fit a variable-length integer")
    if value < 1 << 6:
        return value.to_bytes(1, "big")
    if value < 1 << 14:
        return (value | 0x4000).to_bytes(2, "big")
    if value < 1 << 30:
        return (value | 0x8000_0000).to_bytes(4, "big")
    return (value | 0xC000_0000_0000_0000).to_bytes(8, "big")


def decode(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Read one integer at offset `at`: (value, offset after it), or None when bytes are missing."""
    if at >= len(data):
        return None
    length = 1 << (data[at] >> 6)
    end = at + length
    if end > len(data):
        return None
    value = int.from_bytes(data[at:end], "big")
    return value & ((1 << (8 * length - 2)) - 1), end
