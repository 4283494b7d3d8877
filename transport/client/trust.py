"""Which servers a client believes, for QUIC and TCP alike.

What holds always: nothing is believed unless it was asked for; hashes, where given, replace the
check of chain and name (as `serverCertificateHashes` does in browsers), they do not add to it.
May import: client errors.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from pathlib import Path

from msgspec import Struct

from transport.client.errors import DialError


class Trust(Struct, frozen=True, kw_only=True):
    """With nothing set: the system's certificate authorities (over QUIC: certifi's).

    `ca_file` is a PEM file of authorities to believe instead; `certificate_hashes` are SHA-256
    hashes of the server's certificate (DER) in base64, as `/v1/connect` publishes them;
    `insecure` believes anybody and is for tests on one's own machine.
    """

    ca_file: Path | None = None
    certificate_hashes: tuple[str, ...] = ()
    insecure: bool = False

    @property
    def verifies_chain(self) -> bool:
        """Whether TLS itself checks chain and name."""
        return not (self.insecure or self.certificate_hashes)

    def context(self) -> ssl.SSLContext:
        """For TCP: TLS 1.3 only. The hashes are left to `check`, after the handshake."""
        context = ssl.create_default_context(
            cafile=None if self.ca_file is None else str(self.ca_file)
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if not self.verifies_chain:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def check(self, certificate: bytes) -> None:
        """Compare the server's certificate (DER) with the hashes, where there are any."""
        if self.insecure or not self.certificate_hashes:
            return
        digest = base64.b64encode(hashlib.sha256(certificate).digest()).decode()
        if digest not in self.certificate_hashes:
            raise DialError(
                f"the server's certificate has the hash {digest}, which is none of those trusted:"
                " fetch the hashes from /v1/connect again"
            )
