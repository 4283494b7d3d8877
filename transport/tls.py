"""Certificates: what the UDP and the TCP side present, swapped while they run.

Two sources. `development` makes its own (ECDSA P-256, short-lived, so that browsers accept them by
hash) and always has the next one ready, so that a page that learned both hashes survives a
rotation. `files` reads what an operator or an ACME client put there and follows changes.

What holds always: there is a usable pair from the first moment on; a new pair is taken only when it
loads and its key fits; a broken one leaves the old in place and says so once; keys made here are
readable by their owner only; TCP and QUIC change over in the same instant, for new connections.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import fcntl
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID
from msgspec import Struct

POLL_INTERVAL = 10.0
"""Seconds between two looks at the certificate files, or at the age of our own."""
LIFETIME = dt.timedelta(days=13)
"""How long a development certificate is valid. Browsers take at most 14 days by hash."""
ROTATE_AFTER = dt.timedelta(days=11)
"""Age at which the next development certificate takes over."""
SKEW = dt.timedelta(hours=1)
"""A certificate is valid this long before it is used: a client's clock may be slow."""
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What the parsers of certificates and keys raise."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

log = structlog.get_logger("tradewind.tls")


class CertificateError(Exception):
    """A certificate or key cannot be used. The message says which and what to do."""


class KeyPair(Struct, frozen=True):
    """A certificate chain, leaf first, its key, and the files OpenSSL can read them from."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes
    certfile: Path
    keyfile: Path

    @property
    def hash(self) -> str:
        """Base64 of the SHA-256 of the leaf: what `serverCertificateHashes` wants."""
        leaf = self.chain[0].public_bytes(serialization.Encoding.DER)
        return base64.b64encode(hashlib.sha256(leaf).digest()).decode()


class Source(Protocol):
    """Where pairs come from."""

    def poll(self, now: dt.datetime) -> KeyPair | None:
        """A pair to change over to, or None. Raises CertificateError when a new one is broken."""
        ...

    def hashes(self) -> list[str]:
        """Hashes a browser needs to trust us; empty when it trusts the chain by itself."""
        ...


class Certificates:
    """The pair in use. Give it to `serving`; ask it for `hashes()` to publish."""

    def __init__(self, source: Source, poll_interval: float = POLL_INTERVAL) -> None:
        self._source = source
        self._poll_interval = poll_interval
        first = source.poll(_now())
        if first is None:
            raise CertificateError("There is no certificate to start with.")
        self._current = first
        # A context keeps one certificate per key type, so loading another into it may serve the
        # old one still. Each pair gets a context of its own.
        self._context = _context(first)

    @classmethod
    def development(
        cls, folder: Path, names: Sequence[str] = (), poll_interval: float = POLL_INTERVAL
    ) -> Certificates:
        """Certificates of our own in `folder`, for localhost and `names`."""
        return cls(DevelopmentSource(folder, names), poll_interval)

    @classmethod
    def files(
        cls, certfile: Path, keyfile: Path, poll_interval: float = POLL_INTERVAL
    ) -> Certificates:
        """The operator's certificate files. Raises CertificateError when they cannot be used."""
        return cls(FileSource(certfile, keyfile), poll_interval)

    @property
    def current(self) -> KeyPair:
        """The pair that new connections get."""
        return self._current

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """For a TCP connection that is made now."""
        return self._context

    def hashes(self) -> list[str]:
        """Hashes to publish, this one's and the next one's; [] for a certificate from files."""
        return self._source.hashes()

    def apply_to(self, configuration: Any) -> None:
        """Put the pair into an aioquic QuicConfiguration, for connections made from now on."""
        configuration.certificate = self._current.chain[0]
        configuration.certificate_chain = list(self._current.chain[1:])
        configuration.private_key = self._current.key

    def check(self, now: dt.datetime | None = None) -> bool:
        """Look once whether there is another pair; say whether it was taken."""
        try:
            pair = self._source.poll(now or _now())
            if pair is None:
                return False
            context = _context(pair)
        except (CertificateError, OSError) as error:
            log.error("certificate.kept_old", reason=str(error), in_use=self._current.hash)
            return False
        self._context, self._current = context, pair
        log.info("certificate.changed", hash=pair.hash, until=str(_until(pair)))
        return True

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            await asyncio.sleep(self._poll_interval)
            try:
                self.check()
            except Exception as error:
                # However odd a file is, the server that has a certificate goes on.
                log.error("certificate.check_failed", exc_info=error)


class DevelopmentSource:
    """Makes certificates and keeps them in a folder, each as one PEM file with its key."""

    def __init__(self, folder: Path, names: Sequence[str] = ()) -> None:
        self._folder = folder
        self._names = tuple(dict.fromkeys((*LOCAL_NAMES, *names)))
        self._current: KeyPair | None = None
        self._next: KeyPair | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def poll(self, now: dt.datetime) -> KeyPair | None:
        """The first pair, or the next one when its day has come."""
        known = self._current is not None and self._next is not None
        if known and not self._is_due(self._current, now):
            return None
        with self._alone():
            self._current, self._next = self._load("current"), self._load("next")
            if not self._is_usable(self._current, now) or self._is_due(self._current, now):
                self._advance(now)
            if not self._fits(self._next):
                assert self._current is not None
                self._next = self._make("next", _start(self._current) + ROTATE_AFTER)
        return self._current

    def hashes(self) -> list[str]:
        """This one's and the next one's."""
        return [pair.hash for pair in (self._current, self._next) if pair is not None]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the folder meanwhile: workers share it, and one of them is first."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _advance(self, now: dt.datetime) -> None:
        """Make the next pair the current one, or a new one where there is no usable next."""
        if self._is_usable(self._next, now) and not self._is_due(self._next, now):
            os.replace(self._folder / "next.pem", self._folder / "current.pem")
            self._current = self._load("current")
        else:
            self._current = self._make("current", now)
        self._next = None

    def _is_due(self, pair: KeyPair | None, now: dt.datetime) -> bool:
        return pair is not None and now >= _start(pair) + ROTATE_AFTER

    def _fits(self, pair: KeyPair | None) -> bool:
        return pair is not None and _names_of(pair) == set(self._names)

    def _is_usable(self, pair: KeyPair | None, now: dt.datetime) -> bool:
        if pair is None or not self._fits(pair):
            return False
        return pair.chain[0].not_valid_before_utc <= now < _until(pair)

    def _load(self, name: str) -> KeyPair | None:
        path = self._folder / f"{name}.pem"
        try:
            return _read(path, path)
        except CertificateError as error:
            if path.exists():
                log.warning("certificate.remade", path=str(path), reason=str(error))
            return None

    def _make(self, name: str, start: dt.datetime) -> KeyPair:
        path = self._folder / f"{name}.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key, self._names, start)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ) + certificate.public_bytes(serialization.Encoding.PEM)
        write_private(path, pem)
        return KeyPair((certificate,), key, path, path)


class FileSource:
    """Reads the operator's files, again when either of them is another file than before."""

    def __init__(self, certfile: Path, keyfile: Path) -> None:
        self._files = (certfile, keyfile)
        self._seen: object = None

    def poll(self, now: dt.datetime) -> KeyPair | None:
        """The pair in the files, when they changed since the last look."""
        state = [_identity(path) for path in self._files]
        if state == self._seen:
            return None
        self._seen = state
        pair = _read(*self._files)
        if _until(pair) <= now:
            raise CertificateError(f"{self._files[0]} expired on {_until(pair)}: renew it.")
        return pair

    def hashes(self) -> list[str]:
        """None: browsers check the chain."""
        return []


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _start(pair: KeyPair) -> dt.datetime:
    return pair.chain[0].not_valid_before_utc + SKEW


def _until(pair: KeyPair) -> dt.datetime:
    return pair.chain[0].not_valid_after_utc


def _names_of(pair: KeyPair) -> set[str]:
    try:
        names = pair.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _read(certfile: Path, keyfile: Path) -> KeyPair:
    try:
        chain = tuple(x509.load_pem_x509_certificates(certfile.read_bytes()))
    except (OSError, *UNREADABLE) as error:
        raise CertificateError(f"Cannot read certificates from {certfile}: {error}") from error
    try:
        key = serialization.load_pem_private_key(keyfile.read_bytes(), None)
    except (OSError, *UNREADABLE) as error:
        raise CertificateError(
            f"Cannot read a private key without password from {keyfile}: {error}"
        ) from error
    if chain[0].public_key() != key.public_key():
        raise CertificateError(f"The key in {keyfile} is not that of the certificate {certfile}.")
    return KeyPair(chain, key, certfile, keyfile)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(fresh, path)


def _self_signed(
    key: ec.EllipticCurvePrivateKey, names: Sequence[str], start: dt.datetime
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tradewind development")])
    start = start.replace(microsecond=0) - SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _context(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.load_cert_chain(pair.certfile, pair.keyfile)
    except ssl.SSLError as error:
        raise CertificateError(f"OpenSSL refuses {pair.certfile}: {error}") from error
    return context
