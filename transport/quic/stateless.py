"""What a server says to packets that belong to no connection, without remembering any of it.

What holds always: an answer is smaller than what it answers, or (Retry, Version Negotiation) to a
datagram of at least MIN_INITIAL bytes, so nobody can use us to amplify; a reset is shorter than its
cause and a Version Negotiation is never answered, so two servers cannot be made to talk for ever;
resets and Version Negotiations are limited to so many a second, and over it nothing is said.
May import: keys, tokens, packet.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from aioquic._buffer import Buffer
from aioquic.quic.packet import encode_quic_retry, pull_quic_header

from transport.quic import packet
from transport.quic.aio.bounds import CONNECTION_ID_LENGTH
from transport.quic.keys import derive
from transport.quic.tokens import AddressTokens, Kind, Token

RESET_TOKEN = 16
MIN_RESET = 21
"""Bytes of the shortest stateless reset (RFC 9000 section 10.3)."""
MAX_RESET = 42
"""Bytes of the longest we send: as long as a small packet of a session, and no more telling."""
RESETS_PER_SECOND = 200.0
NEGOTIATIONS_PER_SECOND = 200.0
RETRIES_PER_SECOND = 20_000.0
"""Over it clients are left to try again: making them must not fill a core."""


class Allowance:
    """So many a second, and at most a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = rate
        self._then = 0.0

    def take(self, now: float) -> bool:
        """Whether there is one left."""
        self._left = min(self._rate, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Stateless:
    """Answers from the shared secret. `now` is any clock for rates, `wall` Unix time."""

    def __init__(self, secret: bytes, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self.tokens = AddressTokens(secret, randomness)
        self._reset_key = derive(secret, "stateless reset")
        self._randomness = randomness
        self._resets = Allowance(RESETS_PER_SECOND)
        self._negotiations = Allowance(NEGOTIATIONS_PER_SECOND)
        self._retries = Allowance(RETRIES_PER_SECOND)

    def reset_token(self, connection_id: bytes) -> bytes:
        """What ends the connection that we called by this ID (RFC 9000 section 10.3.2)."""
        return hmac.digest(self._reset_key, connection_id, sha256)[:RESET_TOKEN]

    def reset(self, data: bytes, now: float) -> bytes | None:
        """The answer to a packet with a short header for nobody."""
        size = min(len(data) - 1, MAX_RESET)
        if size < MIN_RESET or not self._resets.take(now):
            return None
        noise = bytearray(self._randomness(size - RESET_TOKEN))
        noise[0] = 0x40 | noise[0] & 0x3F  # it looks like a packet with a short header
        return bytes(noise) + self.reset_token(data[1 : 1 + CONNECTION_ID_LENGTH])

    def negotiation(self, header: packet.Header, size: int, now: float) -> bytes | None:
        """The answer to a version that we do not speak."""
        reply = packet.version_negotiation(header, size)
        return reply if reply is not None and self._negotiations.take(now) else None

    def retry(self, header: packet.Header, address: Any, now: float, wall: float) -> bytes | None:
        """Ask for a proof of the address."""
        if not self._retries.take(now):
            return None
        source = self._randomness(CONNECTION_ID_LENGTH)
        assert header.version is not None  # an Initial has one
        return encode_quic_retry(
            version=header.version,
            source_cid=source,
            destination_cid=header.source,
            original_destination_cid=header.destination,
            retry_token=self.tokens.for_retry(address, header.destination, source, wall),
        )


def token_of(data: bytes) -> bytes:
    """The token of an Initial; empty when it has none."""
    try:
        return pull_quic_header(Buffer(data=data), CONNECTION_ID_LENGTH).token
    except ValueError:
        return b""


def origin(proof: Token | None, header: packet.Header) -> tuple[bytes, bytes | None]:
    """The first Initial's destination, and the Retry's source if there was one: what the transport
    parameters must repeat (RFC 9000 section 7.3)."""
    if proof is None or proof.kind is Kind.LATER:
        return header.destination, None
    return proof.original, proof.source
