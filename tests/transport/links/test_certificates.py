"""Making, keeping and rotating the certificates of links."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509

from tests.transport.links.support import NOW, Deployment
from transport.links import certificates
from transport.links.certificates import (
    EXPIRES_SOON,
    REGION_LIFETIME,
    issue,
    make_authority,
    read_authority,
    read_region,
    read_trusted,
    region_of,
    retire,
    succeed,
    warning,
    write_authority,
    write_region,
)
from transport.links.credentials import Credentials, PeerRefused
from transport.tls import CertificateError

DAY = dt.timedelta(days=1)


def test_a_certificate_names_its_region() -> None:
    holder = issue(make_authority("acme", NOW), "eu-west", NOW)
    assert region_of(holder.certificate) == "eu-west"
    assert holder.certificate.not_valid_after_utc == NOW.replace(microsecond=0) + REGION_LIFETIME
    assert holder.certificate.not_valid_before_utc < NOW, "the clock of a peer may be slow"


@pytest.mark.parametrize("name", ["", "EU", "a b", "-a", "a-", "x" * 64, "eu/1", "é"])
def test_what_is_no_region(name: str) -> None:
    with pytest.raises(CertificateError):
        issue(make_authority("acme", NOW), name, NOW)


def test_no_certificate_outlives_its_authority() -> None:
    authority = make_authority("acme", NOW, 30 * DAY)
    issue(authority, "eu", NOW, 30 * DAY)
    with pytest.raises(CertificateError, match="succeed"):
        issue(authority, "eu", NOW, 31 * DAY)


def test_an_authority_names_no_region() -> None:
    with pytest.raises(CertificateError):
        region_of(make_authority("acme", NOW).certificate)


def test_the_end_is_told() -> None:
    certificate = issue(make_authority("acme", NOW), "eu", NOW).certificate
    end = certificate.not_valid_after_utc
    assert warning(certificate, NOW) is None
    assert "expires in 10 days" in (warning(certificate, end - 10 * DAY - DAY / 2) or "")
    assert warning(certificate, end - EXPIRES_SOON - DAY) is None
    assert "expired" in (warning(certificate, end + DAY) or "")


def test_files_are_what_was_written(tmp_path: Path) -> None:
    authority = make_authority("acme", NOW)
    region = issue(authority, "eu", NOW)
    write_authority(tmp_path, authority)
    write_region(tmp_path, region)
    assert read_authority(tmp_path).certificate == authority.certificate
    assert read_region(tmp_path).certificate == region.certificate
    assert read_trusted(tmp_path) == (authority.certificate,)
    for name in ("authority.pem", "region.pem"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    write_region(tmp_path, issue(make_authority("acme", NOW), "eu", NOW))
    (tmp_path / "region.pem").chmod(0o640)
    with pytest.raises(CertificateError, match="chmod 600"):
        read_region(tmp_path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff\x00"])
def test_files_that_are_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "region.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    (tmp_path / "trusted.pem").write_bytes(content)
    with pytest.raises(CertificateError):
        read_region(tmp_path)
    with pytest.raises(CertificateError):
        read_trusted(tmp_path)


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    authority = make_authority("acme", NOW)
    mixed = certificates.Holder(
        issue(authority, "eu", NOW).certificate, issue(authority, "eu", NOW).key
    )
    write_region(tmp_path, mixed)
    with pytest.raises(CertificateError, match="not that of the certificate"):
        read_region(tmp_path)


def test_one_authority_after_the_other(tmp_path: Path) -> None:
    """Both count until the old one is retired; then what it signed does not any more."""
    deployment = Deployment(tmp_path)
    credentials = deployment.credentials("eu")
    folder = deployment.folder_of("eu")
    old = issue(deployment.authority, "us", NOW).certificate
    write_authority(folder, deployment.authority)
    fresh = succeed(folder, "acme", NOW)
    new = issue(fresh, "us", NOW).certificate
    with pytest.raises(PeerRefused):
        credentials.judge([new])
    assert credentials.check()
    assert credentials.judge([old]) == credentials.judge([new]) == "us"
    with pytest.raises(CertificateError, match="retire"):
        succeed(folder, "acme", NOW)
    retire(folder)
    assert credentials.check()
    assert credentials.judge([new]) == "us"
    with pytest.raises(PeerRefused):
        credentials.judge([old])


class TestJudge:
    @pytest.fixture
    def deployment(self, tmp_path: Path) -> Deployment:
        return Deployment(tmp_path)

    @pytest.fixture
    def credentials(self, deployment: Deployment) -> Credentials:
        return deployment.credentials("eu")

    def refused(self, credentials: Credentials, *chain: x509.Certificate) -> PeerRefused:
        with pytest.raises(PeerRefused) as caught:
            credentials.judge(chain)
        return caught.value

    def test_nothing(self, credentials: Credentials) -> None:
        assert self.refused(credentials).alert == 116

    def test_foreign(self, credentials: Credentials) -> None:
        foreign = issue(make_authority("test", NOW), "us", NOW).certificate
        assert self.refused(credentials, foreign).alert == 48

    def test_foreign_with_its_authority(self, credentials: Credentials) -> None:
        authority = make_authority("test", NOW)
        leaf = issue(authority, "us", NOW).certificate
        assert self.refused(credentials, leaf, authority.certificate).alert == 48

    def test_expired(self, deployment: Deployment, credentials: Credentials) -> None:
        old = issue(deployment.authority, "us", NOW - 9 * DAY, 8 * DAY).certificate
        found = self.refused(credentials, old)
        assert found.alert == 45
        assert "expired" in found.reason

    def test_not_yet_valid(self, deployment: Deployment, credentials: Credentials) -> None:
        early = issue(deployment.authority, "us", NOW + DAY).certificate
        assert "clocks" in self.refused(credentials, early).reason

    def test_a_clock_a_minute_off(self, deployment: Deployment, credentials: Credentials) -> None:
        fresh = issue(deployment.authority, "us", NOW + dt.timedelta(minutes=1)).certificate
        assert credentials.judge([fresh]) == "us"

    def test_the_authority_itself(self, deployment: Deployment, credentials: Credentials) -> None:
        assert self.refused(credentials, deployment.authority.certificate).alert == 48

    def test_signed_by_a_region(self, deployment: Deployment, credentials: Credentials) -> None:
        region = issue(deployment.authority, "us", NOW)
        forged = issue(region, "cn", NOW, DAY).certificate
        assert self.refused(credentials, forged, region.certificate).alert == 48
