"""Who is not let in, over both ways, and what each side is told."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.transport.links.support import HOST, NOW, PATIENCE, Deployment, dialled, listening, take
from transport.client.errors import DialError
from transport.links import certificates
from transport.links.base import Message, Way
from transport.links.credentials import Credentials
from transport.links.dial import Target
from transport.links.listener import Welcome, anybody
from transport.quic.dial import Trust, connect

WAYS = [Way.QUIC, Way.TCP]


class Refusal:
    """What the dialler and the listener say of it."""

    def __init__(self, dialler: str, listener: str) -> None:
        self.dialler = dialler
        self.listener = listener


async def refusal(
    here: Credentials,
    there: Credentials,
    way: Way,
    *,
    wanted: str = "there",
    welcome: Welcome = anybody,
) -> Refusal:
    with capture_logs() as logs:
        async with listening(there, welcome=welcome) as ear:
            with pytest.raises(DialError) as caught:
                async with dialled(Target(wanted, HOST, ear.port), here, way):
                    pass
            async with asyncio.timeout(PATIENCE):
                while not (said := [one for one in logs if one["event"] == "link.refused"]):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert not ear.listener.links
            assert ear.links.empty()
    return Refusal(str(caught.value), said[0]["reason"])


@pytest.mark.parametrize("way", WAYS)
async def test_a_foreign_certificate(tmp_path: Path, way: Way) -> None:
    """The dialler's; the listener says what is wrong, and the dialler hears it."""
    deployment = Deployment(tmp_path)
    there = deployment.credentials("there")
    foreign = certificates.make_authority("other", NOW)
    here = deployment.credentials("here", signer=foreign)
    found = await refusal(here, there, way)
    if way is Way.QUIC:
        assert "not of an authority that counts here" in found.listener
        assert "not of an authority that counts here" in found.dialler
    else:
        assert "certificate verify failed" in found.listener
        assert "alert unknown ca" in found.dialler


@pytest.mark.parametrize("way", WAYS)
async def test_a_foreign_listener(tmp_path: Path, way: Way) -> None:
    deployment = Deployment(tmp_path)
    foreign = certificates.make_authority("other", NOW)
    there = deployment.credentials("there", signer=foreign)
    found = await refusal(deployment.credentials("here"), there, way)
    if way is Way.QUIC:
        assert "not of an authority that counts here" in found.dialler
        assert "not of an authority that counts here" in found.listener
    else:
        assert "certificate verify failed" in found.dialler
        assert "alert unknown ca" in found.listener


@pytest.mark.parametrize("way", WAYS)
async def test_an_expired_certificate(tmp_path: Path, way: Way) -> None:
    """Expired while it was in use: files that have expired are not taken to begin with."""
    deployment = Deployment(tmp_path)
    there = deployment.credentials("there")
    deployment.credentials("here")
    deployment.renew("here", lifetime=dt.datetime.now(dt.UTC) - NOW + dt.timedelta(seconds=2))
    here = Credentials(deployment.folder_of("here"))
    left = certificates.left(here.certificate, dt.datetime.now(dt.UTC))
    await asyncio.sleep(left.total_seconds() + 0.1)
    found = await refusal(here, there, way)
    assert "expired" in found.listener
    assert "expired" in found.dialler


@pytest.mark.parametrize("way", WAYS)
async def test_another_region_than_was_wanted(tmp_path: Path, way: Way) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    found = await refusal(here, there, way, wanted="elsewhere")
    assert "There is region “there”, not “elsewhere”." in found.dialler
    assert "There is region “there”, not “elsewhere”." in found.listener


@pytest.mark.parametrize("way", WAYS)
async def test_a_region_that_is_not_expected(tmp_path: Path, way: Way) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    found = await refusal(here, there, way, welcome=lambda region: region == "friend")
    assert "“here” is not expected here" in found.listener
    assert "“here” is not expected here" in found.dialler


async def test_no_certificate_over_quic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    settings = here.settings

    def without(*, is_client: bool):  # type: ignore[no-untyped-def]
        made = settings(is_client=is_client)
        made.certificate = made.private_key = None
        return made

    monkeypatch.setattr(here, "settings", without)
    found = await refusal(here, there, Way.QUIC)
    assert "shows no certificate" in found.listener
    assert "shows no certificate" in found.dialler


async def test_no_certificate_over_tcp(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    bare = here.ssl_context(server=False).__class__(here.ssl_context(server=False).protocol)
    bare.check_hostname = False
    bare.load_verify_locations(deployment.folder_of("here") / "trusted.pem")
    bare.set_alpn_protocols(["tradewind-relay/1"])
    here.ssl_context = lambda *, server: bare  # type: ignore[method-assign]
    found = await refusal(here, there, Way.TCP)
    assert "did not return a certificate" in found.listener
    assert "certificate required" in found.dialler


async def test_a_client_of_sessions_is_not_taken(tmp_path: Path) -> None:
    """Nor does it learn more than that there is nothing for it."""
    deployment = Deployment(tmp_path)
    async with listening(deployment.credentials("there")) as ear:
        with pytest.raises(Exception, match="ALPN"):
            await connect(HOST, ear.port, trust=Trust(insecure=True), timeout=5)


@pytest.mark.parametrize("way", WAYS)
async def test_after_refusals_others_come_in(tmp_path: Path, way: Way) -> None:
    deployment = Deployment(tmp_path)
    there, here = deployment.credentials("there"), deployment.credentials("here")
    foreign = certificates.make_authority("other", NOW)
    stranger = deployment.credentials("stranger", signer=foreign)
    async with listening(there) as ear:
        target = Target("there", HOST, ear.port)
        for _ in range(3):
            with pytest.raises(DialError):
                async with dialled(target, stranger, way):
                    pass
        async with dialled(target, here, way) as link:
            link.send(b"k", b"let in")
            assert await take(await ear.links.get(), 1) == [Message(b"k", b"let in")]
