"""Who this region is, and whom it believes: the certificates in use, swapped while links live.

What holds always: there are usable certificates from the first moment on; new files are taken only
when they fit together, broken ones leave the old in place and say so once; whoever asks judges a
peer by the authorities that count at that moment, over QUIC and over TCP by the same function.
May import: certificates, tls, quic.aio's configuration.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

import structlog
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from msgspec import Struct

from transport.links import certificates
from transport.links.certificates import Holder
from transport.quic import steady
from transport.quic.aio.configuration import configuration
from transport.tls import CertificateError

ALPN = "tradewind-relay/1"
STREAM_WINDOW = 1_048_576
"""Bytes that a peer may send before they are taken: two round trips of a long way at 2 MB/s, for
what follows a lost packet is held until it has come again."""
POLL_INTERVAL = 10.0
"""Seconds between two looks at the files."""

log = structlog.get_logger("tradewind.links")


class PeerRefused(Exception):
    """The other end is not whom we believe. `alert` is the TLS alert that says so to it."""

    def __init__(self, alert: int, reason: str) -> None:
        super().__init__(reason)
        self.alert = alert
        self.reason = reason


BAD_CERTIFICATE, CERTIFICATE_EXPIRED, UNKNOWN_CA, CERTIFICATE_REQUIRED = 42, 45, 48, 116
"""TLS alerts (RFC 8446 section 6.2)."""


def why(error: BaseException) -> str:
    """What kept a link from coming about, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return str(getattr(error, "reason", None) or error) or "no answer in time"


class _Held(Struct, frozen=True):
    own: Holder
    trusted: tuple[x509.Certificate, ...]
    accepting: ssl.SSLContext
    dialling: ssl.SSLContext


class Credentials:
    """The certificates of one region, from a folder with region.pem and trusted.pem."""

    def __init__(self, folder: Path, poll_interval: float = POLL_INTERVAL) -> None:
        """Raises CertificateError."""
        self._folder = folder
        self._poll_interval = poll_interval
        self._seen = self._state()
        self._held = self._load()

    @property
    def region(self) -> str:
        """Whose they are."""
        return certificates.region_of(self._held.own.certificate)

    @property
    def certificate(self) -> x509.Certificate:
        """The one that new links show."""
        return self._held.own.certificate

    def check(self) -> bool:
        """Look once whether the files are others; whether they were taken."""
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        try:
            held = self._load()
        except CertificateError as error:
            log.error("link.certificate_kept_old", reason=str(error))
            return False
        self._held = held
        log.info("link.certificate_changed", region=self.region)
        return True

    async def watch(self) -> None:
        """Check for ever, and say when a certificate comes to its end."""
        said: str | None = None
        while True:
            await asyncio.sleep(self._poll_interval)
            self.check()
            said, before = certificates.warning(self.certificate, now()), said
            if said is not None and said != before:
                log.warning("link.certificate_expires", reason=said)

    def judge(self, chain: Sequence[x509.Certificate], at: dt.datetime | None = None) -> str:
        """The region that this chain proves, its leaf first. Raises PeerRefused."""
        if not chain:
            raise PeerRefused(CERTIFICATE_REQUIRED, "The peer shows no certificate.")
        leaf, at = chain[0], at or now()
        if leaf.not_valid_after_utc <= at:
            until = f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M}"
            raise PeerRefused(CERTIFICATE_EXPIRED, f"The certificate expired on {until} UTC.")
        if at < leaf.not_valid_before_utc:
            reason = "The certificate is not valid yet: are the clocks right?"
            raise PeerRefused(CERTIFICATE_EXPIRED, reason)
        try:
            store = verification.Store(list(self._held.trusted))
            # It asks for a certificate of a client, which ours are; those of servers have to name
            # a host, and links are made to regions.
            verifier = verification.PolicyBuilder().store(store).time(at).build_client_verifier()
            verifier.verify(leaf, list(chain[1:]))
        except verification.VerificationError as error:
            raise PeerRefused(
                UNKNOWN_CA, "The certificate is not of an authority that counts here."
            ) from error
        try:
            return certificates.region_of(leaf)
        except CertificateError as error:
            raise PeerRefused(BAD_CERTIFICATE, str(error)) from error

    # For those who make connections.

    def ssl_context(self, *, server: bool) -> ssl.SSLContext:
        """For a TCP link that is made now."""
        return self._held.accepting if server else self._held.dialling

    def settings(self, *, is_client: bool) -> QuicConfiguration:
        """For a QUIC link that is made now."""
        settings = configuration(is_client=is_client, alpn=(ALPN,))
        settings.congestion_control_algorithm = steady.ALGORITHM
        settings.max_stream_data = STREAM_WINDOW
        # A server asks, and both ends judge what they are shown by themselves.
        settings.verify_mode = ssl.CERT_NONE if is_client else ssl.CERT_REQUIRED
        self.apply_to(settings)
        return settings

    def apply_to(self, settings: QuicConfiguration) -> None:
        """Show the present certificate from now on."""
        settings.certificate = self._held.own.certificate
        settings.private_key = self._held.own.key

    def _load(self) -> _Held:
        own = certificates.read_region(self._folder)
        trusted = certificates.read_trusted(self._folder)
        if certificates.left(own.certificate, now()) <= dt.timedelta():
            raise CertificateError(
                f"{self._folder / certificates.REGION} expired: issue a new one."
            )
        path = self._folder / certificates.REGION
        return _Held(own, trusted, _context(path, trusted, True), _context(path, trusted, False))

    def _state(self) -> object:
        return [_stamp(self._folder / n) for n in (certificates.REGION, certificates.TRUSTED)]


def now() -> dt.datetime:
    """The time by which certificates are judged."""
    return dt.datetime.now(dt.UTC)


def _context(path: Path, trusted: Sequence[x509.Certificate], server: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # regions have no host names: `judge` looks at the URI
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols([ALPN])
    if server:
        context.num_tickets = 0  # whoever resumes would not show a certificate
    try:
        context.load_cert_chain(path)
        context.load_verify_locations(
            cadata="".join(each.public_bytes(Encoding.PEM).decode() for each in trusted)
        )
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(f"OpenSSL refuses {path}: {error}") from error
    return context


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
