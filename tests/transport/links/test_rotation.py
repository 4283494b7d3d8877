"""Certificates that change under a live link."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.transport.links.support import HOST, NOW, PATIENCE, Deployment, dialled, listening, take
from transport.errors import CloseCode, SessionClosed
from transport.links import certificates
from transport.links.base import Message, Way
from transport.links.dial import Target

WAYS = [Way.QUIC, Way.TCP]


@pytest.mark.parametrize("way", WAYS)
async def test_a_new_certificate_hurts_no_link(tmp_path: Path, way: Way) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear:
        target = Target("there", HOST, ear.port)
        async with dialled(target, here, way) as link:
            old = await ear.links.get()
            fresh = deployment.renew("there")
            assert there.check()
            assert there.certificate == fresh.certificate
            link.send(b"k", b"still here")
            assert await take(old, 1) == [Message(b"k", b"still here")]
        async with dialled(target, here, way) as link:
            link.send(b"k", b"and again")
            assert await take(await ear.links.get(), 1) == [Message(b"k", b"and again")]


async def test_broken_files_leave_the_old_ones(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    credentials = deployment.credentials("here")
    before = credentials.certificate
    (deployment.folder_of("here") / "region.pem").write_bytes(b"half a fi")
    assert not credentials.check()
    assert credentials.certificate == before
    fresh = deployment.renew("here")
    assert credentials.check()
    assert credentials.certificate == fresh.certificate


async def test_files_are_watched(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    credentials = deployment.credentials("here")
    watching = asyncio.ensure_future(credentials.watch())
    fresh = deployment.renew("here")
    async with asyncio.timeout(PATIENCE):
        while credentials.certificate != fresh.certificate:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.wait([watching])


@pytest.mark.parametrize("way", WAYS)
async def test_who_does_not_count_any_more_is_shut_out(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.links.guard.RECHECK", 0.05)
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with (
        listening(there) as ear,
        dialled(Target("there", HOST, ear.port), here, way) as link,
    ):
        await ear.links.get()
        successor = certificates.make_authority("test", NOW)
        certificates.write_trusted(deployment.folder_of("there"), [successor.certificate])
        assert there.check()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(SessionClosed) as caught:
                await link.receive()
        assert caught.value.code == CloseCode.FORBIDDEN
        assert "authority" in caught.value.reason
