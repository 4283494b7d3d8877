"""TLS for peers that need files: so that all are measured with it.

May import: transport's certificates.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from transport.tls import Certificates


def certificate(folder: Path) -> tuple[Path, Path]:
    """A chain and its key (ECDSA P-256, like this server's own), as PEM files."""
    pair = Certificates.development(folder / "tls").current
    return pair.certfile, pair.keyfile


def trusting_all() -> ssl.SSLContext:
    """For clients in a network of our own: TLS 1.3, and whoever answers is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
