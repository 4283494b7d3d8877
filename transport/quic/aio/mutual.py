"""Both ends show a certificate, where the configuration of a server says so.

aioquic asks a client for its certificate only behind a private switch. It checks that the client
holds the key (RFC 8446 section 4.4.3), lets one without a certificate pass (section 4.4.2.4), and
judges no chain: whoever asks has to, before anything that the peer said is believed.

What holds always: a server whose `verify_mode` is CERT_REQUIRED asks every client; what the peer
has shown is kept when the handshake's own state is given back.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import ssl
from typing import Any

from aioquic.quic.connection import QuicConnection


class Mutual(QuicConnection):
    """Certificates in both directions."""

    _shown: tuple[Any, ...] = ()

    @property
    def shown(self) -> tuple[Any, ...]:
        """What the peer has proved to be (x509.Certificate, its leaf first), once the handshake is
        complete. Empty when it showed nothing, or when nobody asked a client."""
        return self._certificates() if self.configuration.is_client else self._shown

    def _alpn_handler(self, alpn_protocol: str) -> None:
        """As aioquic's. TLS decides right after this whether it asks."""
        super()._alpn_handler(alpn_protocol)
        if self._asks:
            self.tls._request_client_certificate = True

    def _confirm_handshake(self) -> None:
        """As aioquic's."""
        if self._asks:
            self._shown = self._certificates()
        super()._confirm_handshake()

    @property
    def _asks(self) -> bool:
        settings = self.configuration
        return not settings.is_client and settings.verify_mode == ssl.CERT_REQUIRED

    def _certificates(self) -> tuple[Any, ...]:
        leaf = self.tls._peer_certificate
        return () if leaf is None else (leaf, *self.tls._peer_certificate_chain)
