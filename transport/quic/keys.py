"""Keys for the promises a server makes without keeping state, all from one shared secret.

Address tokens and stateless resets must be understood by every worker, and by the process that
comes after a restart: so their keys are derived from the secret, each for its own purpose, and the
secret itself signs nothing.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret: bytes, purpose: str, length: int = 32) -> bytes:
    """A key for one purpose (RFC 5869)."""
    info = b"tradewind quic " + purpose.encode()
    return HKDF(SHA256(), length, salt=None, info=info).derive(secret)
