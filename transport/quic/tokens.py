"""Address tokens: what a client shows to prove that it receives what is sent to its address.

Two kinds (RFC 9000 section 8.1): one in a Retry, good for RETRY_LIFETIME seconds, that address and
port and that attempt only; one in NEW_TOKEN, for later connections from the same address, good for
LATER_LIFETIME seconds.

What holds always: a token is opaque and cannot be made without the key; a forged, cut, expired or
foreign one is no token at all (None), whatever it holds; the check takes the same time whichever
byte is wrong (it is the AEAD's). `now` is Unix time: other workers, and the process after a
restart, read it too.
May import: keys.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from transport.quic.keys import derive

RETRY_LIFETIME = 30.0
"""Seconds; a client returns a Retry's token at once."""
LATER_LIFETIME = 86_400.0
"""Seconds; as long as a session ticket, which it comes along with."""
SKEW = 5.0
"""Seconds that another worker's clock may be ahead of ours."""
MAX_TOKEN = 200
"""Bytes; nothing longer is one of ours."""
_NONCE = 12


class Kind(Enum):
    """What a token was given out in."""

    RETRY = "r"
    LATER = "l"


class Token(Struct, frozen=True, array_like=True):
    """What a token says. `original` and `source` are the connection IDs of the first Initial and
    of the Retry, for that kind."""

    kind: Kind
    at: float
    address: bytes
    port: int
    original: bytes = b""
    source: bytes = b""


class AddressTokens:
    """Makes and checks them."""

    def __init__(self, secret: bytes, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._aead = AESGCM(derive(secret, "address tokens"))
        self._randomness = randomness

    def for_retry(self, address: Any, original: bytes, source: bytes, now: float) -> bytes:
        """The token of a Retry that answers an Initial for `original` from the ID `source`."""
        port = int(address[1])
        return self._seal(Token(Kind.RETRY, now, packed(address), port, original, source))

    def for_later(self, address: Any, now: float) -> bytes:
        """The token of a NEW_TOKEN frame."""
        return self._seal(Token(Kind.LATER, now, packed(address), 0))

    def check(self, data: bytes, address: Any, destination: bytes, now: float) -> Token | None:
        """What the token of an Initial to the ID `destination` says; None when it is no good."""
        token = self._open(data)
        if token is None or token.address != packed(address):
            return None
        age = now - token.at
        if token.kind is Kind.LATER:
            return token if -SKEW <= age <= LATER_LIFETIME else None
        fits = token.port == int(address[1]) and token.source == destination
        return token if fits and -SKEW <= age <= RETRY_LIFETIME else None

    def _seal(self, token: Token) -> bytes:
        nonce = self._randomness(_NONCE)
        return nonce + self._aead.encrypt(nonce, msgspec.msgpack.encode(token), None)

    def _open(self, data: bytes) -> Token | None:
        if not _NONCE < len(data) <= MAX_TOKEN:
            return None
        try:
            plain = self._aead.decrypt(data[:_NONCE], data[_NONCE:], None)
        except InvalidTag:
            return None
        return msgspec.msgpack.decode(plain, type=Token)


def packed(address: Any) -> bytes:
    """An IP address in bytes: IPv4 that came through an IPv6 socket is IPv4."""
    ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped.packed
    return ip.packed
