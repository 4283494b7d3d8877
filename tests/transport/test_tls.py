"""Certificates: made, rotated, reloaded; on disk, over TCP and over QUIC while running."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from tests.transport.support.echo import echo
from transport import tls
from transport.quic.dial import Trust, dial
from transport.serve import Listening, ServeConfig, serving
from transport.tls import LIFETIME, ROTATE_AFTER, CertificateError, Certificates

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def source(folder: Path, names: tuple[str, ...] = ()) -> tls.DevelopmentSource:
    return tls.DevelopmentSource(folder, names)


class TestDevelopment:
    """Certificates of our own."""

    def test_fit_what_browsers_take_by_hash(self, tmp_path: Path) -> None:
        pair = Certificates.development(tmp_path, ["shop.test", "192.0.2.7"]).current
        leaf = pair.chain[0]
        assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == LIFETIME <= 14 * DAY
        assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc
        assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {str(name.value) for name in names} == {
            *("localhost", "127.0.0.1", "::1", "shop.test", "192.0.2.7")
        }
        assert (
            pair.hash
            == base64.b64encode(
                hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).digest()
            ).decode()
        )

    def test_keys_are_for_their_owner(self, tmp_path: Path) -> None:
        folder = tmp_path / "certificates"
        Certificates.development(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        files = list(folder.iterdir())
        assert {file.name for file in files} == {"current.pem", "next.pem"}
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)

    def test_are_kept_over_a_restart(self, tmp_path: Path) -> None:
        before = Certificates.development(tmp_path).hashes()
        assert len(set(before)) == 2
        assert Certificates.development(tmp_path).hashes() == before

    def test_next_takes_over_and_was_published_before(self, tmp_path: Path) -> None:
        it = source(tmp_path)
        assert it.poll(NOW) is not None
        first, second = it.hashes()
        assert it.poll(NOW + ROTATE_AFTER - DAY / 2) is None
        later = NOW + ROTATE_AFTER + DAY / 24
        pair = it.poll(later)
        assert pair is not None
        assert pair.hash == second
        assert pair.chain[0].not_valid_before_utc < later < pair.chain[0].not_valid_after_utc
        assert it.hashes()[0] == second
        assert it.hashes()[1] not in (first, second)
        # A restart finds the same.
        assert source(tmp_path).poll(later) is not None

    def test_workers_share_the_folder_and_turn_over_to_the_same(self, tmp_path: Path) -> None:
        one, other = source(tmp_path), source(tmp_path)
        first = one.poll(NOW), other.poll(NOW)
        assert first[0]
        assert first[1]
        assert first[0].hash == first[1].hash
        later = NOW + ROTATE_AFTER + DAY / 24
        then = one.poll(later), other.poll(later)
        assert then[0]
        assert then[1]
        assert then[0].hash == then[1].hash != first[0].hash
        assert one.hashes() == other.hashes()
        assert one.poll(later) is None
        assert other.poll(later) is None

    def test_a_year_of_sleep(self, tmp_path: Path) -> None:
        source(tmp_path).poll(NOW)
        later = NOW + 365 * DAY
        pair = source(tmp_path).poll(later)
        assert pair is not None
        assert pair.chain[0].not_valid_before_utc < later < pair.chain[0].not_valid_after_utc

    def test_other_names_make_another(self, tmp_path: Path) -> None:
        before = set(Certificates.development(tmp_path).hashes())
        assert not before & set(Certificates.development(tmp_path, ["shop.test"]).hashes())

    def test_broken_file_is_made_anew(self, tmp_path: Path) -> None:
        Certificates.development(tmp_path)
        (tmp_path / "current.pem").write_text("rubbish")
        assert Certificates.development(tmp_path).current


def write(
    folder: Path, name: str, key: CertificateIssuerPrivateKeyTypes | None = None, days: int = 30
) -> tuple[Path, Path]:
    """A certificate as an operator has it, in two files."""
    folder.mkdir(exist_ok=True)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(name)]
    leaf = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 60 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = folder / "cert.pem", folder / "key.pem"
    certfile.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certfile, keyfile


def name_of(certificates: Certificates) -> str:
    attribute = certificates.current.chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute[0].value)


class TestFiles:
    """Certificates of the operator."""

    def test_are_read_and_publish_no_hash(self, tmp_path: Path) -> None:
        certificates = Certificates.files(*write(tmp_path, "one.test"))
        assert name_of(certificates) == "one.test"
        assert certificates.hashes() == []
        assert not certificates.check()

    def test_change_is_followed(self, tmp_path: Path) -> None:
        certificates = Certificates.files(*write(tmp_path, "one.test"))
        write(tmp_path, "two.test")
        assert certificates.check()
        assert name_of(certificates) == "two.test"

    @pytest.mark.parametrize("what", ["rubbish", "half", "missing", "expired", "folder"])
    def test_broken_change_keeps_the_old_and_says_so_once(
        self, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        certfile, keyfile = write(tmp_path, "one.test")
        certificates = Certificates.files(certfile, keyfile)
        if what == "rubbish":
            certfile.write_text("rubbish")
        elif what == "half":  # the certificate is new already, the key not yet
            key = keyfile.read_bytes()
            write(tmp_path, "two.test")
            keyfile.write_bytes(key)
        elif what == "folder":
            keyfile.unlink()
            keyfile.mkdir()
        elif what == "missing":
            keyfile.unlink()
        else:
            write(tmp_path, "two.test", days=-1)
        assert not certificates.check()
        assert not certificates.check()
        assert name_of(certificates) == "one.test"
        assert capsys.readouterr().out.count("certificate.kept_old") == 1
        if what == "folder":
            keyfile.rmdir()
        write(tmp_path, "three.test")
        assert certificates.check()

    def test_broken_at_the_start_is_an_error(self, tmp_path: Path) -> None:
        certfile, keyfile = write(tmp_path, "one.test")
        keyfile.write_text("rubbish")
        with pytest.raises(CertificateError, match=r"key\.pem"):
            Certificates.files(certfile, keyfile)


async def tcp_hash(port: int) -> str:
    """The hash of what the TCP side shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


async def shows(listening: Listening, expected: str) -> None:
    """Both sides show this certificate to new connections."""
    assert await tcp_hash(listening.port) == expected
    async with dial(
        "127.0.0.1", listening.port, trust=Trust(hashes=frozenset({expected}))
    ) as client:
        assert (await client.request("GET", "/")).status == 200


async def test_rotation_while_running(tmp_path: Path) -> None:
    certificates = Certificates.development(tmp_path)
    first, second = certificates.hashes()
    config = ServeConfig(certificates=certificates, host="127.0.0.1", port=0, grace=0.1)
    async with serving(echo, config) as listening:
        trust = Trust(hashes=frozenset({first}))
        async with dial("127.0.0.1", listening.port, trust=trust) as old:
            await shows(listening, first)
            assert certificates.check(NOW + ROTATE_AFTER + DAY / 24)
            await shows(listening, second)
            assert (await old.request("GET", "/")).status == 200


async def test_reload_while_running_even_of_another_kind_of_key(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    certificates = Certificates.files(*write(tmp_path, "one.test", rsa_key), poll_interval=0.05)
    config = ServeConfig(certificates=certificates, host="127.0.0.1", port=0, grace=0.1)
    async with serving(echo, config) as listening:
        await shows(listening, certificates.current.hash)
        before = certificates.current.hash
        write(tmp_path, "two.test")
        async with asyncio.timeout(3):
            while certificates.current.hash == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await shows(listening, certificates.current.hash)
