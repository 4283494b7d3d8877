"""Certificates of links: an authority of the deployment's own, and one certificate per region.

A certificate names its region in a URI, `tradewind://region/<name>`, and serves both ends. Making
them is pure but for the keys' randomness; the time is an argument. Files:

    authority.pem   the authority's key and certificate; wherever regions are let in, nowhere else
    region.pem      a region's key and certificate; on that region's hosts
    trusted.pem     the authorities that count: one, or two while one follows another

Rotating a region's certificate: write a new `region.pem`; the old one counts until it expires.
Rotating the authority: `succeed` makes the next one and trusts both; give `trusted.pem` to every
region, issue all their certificates anew, then `retire` the old one and give `trusted.pem` again.

What holds always: keys are ECDSA P-256; a file with a key is readable by its owner only, and is not
read when it is not; files change whole or not at all; nothing here is ever deleted but by `retire`.
May import: tls.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from transport.tls import SKEW, UNREADABLE, CertificateError, write_private

AUTHORITY, REGION, TRUSTED = "authority.pem", "region.pem", "trusted.pem"
AUTHORITY_LIFETIME = dt.timedelta(days=3650)
REGION_LIFETIME = dt.timedelta(days=365)
EXPIRES_SOON = dt.timedelta(days=30)
"""What is left of a certificate when it is time to speak of it."""
MAX_TRUSTED = 2
"""Authorities that count at a time. One more is refused: retire the oldest first."""
URI = "tradewind://region/"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Holder(Struct, frozen=True):
    """A certificate and its key: an authority, or a region."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """Both, as they are kept in a file."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return key + self.certificate.public_bytes(serialization.Encoding.PEM)


# Pure.


def make_authority(
    deployment: str, now: dt.datetime, lifetime: dt.timedelta = AUTHORITY_LIFETIME
) -> Holder:
    """A new authority for the links of a deployment."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Tradewind links of {deployment}")
    builder = _builder(name, name, key, now, lifetime).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return Holder(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)


def issue(
    authority: Holder, region: str, now: dt.datetime, lifetime: dt.timedelta = REGION_LIFETIME
) -> Holder:
    """A certificate for a region. Raises CertificateError for a name that is none, or when the
    authority does not last as long."""
    if not _NAME.fullmatch(region):
        raise CertificateError(f"“{region}” is no region: use a-z, 0-9 and -, at most 63 of them.")
    end = authority.certificate.not_valid_after_utc
    if now.replace(microsecond=0) + lifetime > end:
        raise CertificateError(
            f"The authority expires on {end:%Y-%m-%d}, before this certificate does: let a new "
            "one succeed it."
        )
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI + region)])
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_name(region), issuer.subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(uri, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False
        )
        .sign(authority.key, hashes.SHA256())
    )
    return Holder(certificate, key)


def region_of(certificate: x509.Certificate) -> str:
    """The region that a certificate names. Raises CertificateError when it names none, or more."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, *UNREADABLE) as error:
        raise CertificateError("The certificate names no region.") from error
    found = [uri.removeprefix(URI) for uri in uris if uri.startswith(URI)]
    if len(found) != 1 or not _NAME.fullmatch(found[0]):
        raise CertificateError("The certificate does not name one region.")
    return found[0]


def left(certificate: x509.Certificate, now: dt.datetime) -> dt.timedelta:
    """How long it is still good for; negative when it is not."""
    return certificate.not_valid_after_utc - now


def warning(certificate: x509.Certificate, now: dt.datetime) -> str | None:
    """What to tell people about its end, if it is near."""
    rest, until = left(certificate, now), certificate.not_valid_after_utc
    name = certificate.subject.rfc4514_string().removeprefix("CN=")
    if rest <= dt.timedelta():
        return (
            f"The certificate of “{name}” expired on {until:%Y-%m-%d %H:%M} UTC: issue a new one."
        )
    if rest <= EXPIRES_SOON:
        return f"The certificate of “{name}” expires in {rest.days} days, on {until:%Y-%m-%d}."
    return None


# Files.


def write_authority(folder: Path, authority: Holder) -> None:
    """Keep an authority, and trust it. Raises CertificateError when too many are trusted."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_trusted(folder, [*_trusted_or_none(folder), authority.certificate])
    write_private(folder / AUTHORITY, authority.pem)


def read_authority(folder: Path) -> Holder:
    """Raises CertificateError."""
    return _read(folder / AUTHORITY)


def write_region(folder: Path, region: Holder) -> None:
    """Keep a region's certificate; who uses it takes the new one within seconds."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / REGION, region.pem)


def read_region(folder: Path) -> Holder:
    """Raises CertificateError."""
    holder = _read(folder / REGION)
    region_of(holder.certificate)
    return holder


def write_trusted(folder: Path, certificates: Iterable[x509.Certificate]) -> None:
    """Say which authorities count. Raises CertificateError over MAX_TRUSTED."""
    distinct = list(dict.fromkeys(certificates))
    if len(distinct) > MAX_TRUSTED:
        raise CertificateError(f"{MAX_TRUSTED} authorities count already: retire the older first.")
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in distinct)
    fresh = folder / f"{TRUSTED}.new"
    fresh.write_bytes(pem)
    os.replace(fresh, folder / TRUSTED)


def read_trusted(folder: Path) -> tuple[x509.Certificate, ...]:
    """The authorities that count. Raises CertificateError."""
    path = folder / TRUSTED
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, *UNREADABLE) as error:
        raise CertificateError(
            f"Cannot read the trusted authorities from {path}: {error}"
        ) from error


def succeed(folder: Path, deployment: str, now: dt.datetime) -> Holder:
    """A new authority in the place of the old one; both count. Raises CertificateError."""
    authority = make_authority(deployment, now)
    write_authority(folder, authority)
    return authority


def retire(folder: Path) -> None:
    """Only the present authority counts from now on. Raises CertificateError."""
    write_trusted(folder, [read_authority(folder).certificate])


def _read(path: Path) -> Holder:
    try:
        if path.stat().st_mode & 0o077:
            raise CertificateError(f"Others may read the key in {path}: chmod 600 it.")
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, None)
    except (OSError, *UNREADABLE) as error:
        raise CertificateError(
            f"Cannot read a certificate and its key from {path}: {error}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"The key in {path} is not ECDSA.")
    if key.public_key() != certificate.public_key():
        raise CertificateError(f"The key in {path} is not that of the certificate there.")
    return Holder(certificate, key)


def _trusted_or_none(folder: Path) -> Sequence[x509.Certificate]:
    return read_trusted(folder) if (folder / TRUSTED).exists() else ()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    lifetime: dt.timedelta,
) -> x509.CertificateBuilder:
    start = now.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - SKEW)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
