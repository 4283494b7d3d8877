"""A deployment with an authority of its own, and links between its regions over real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.transport.support.lossy import Relay, lossy
from transport.errors import CloseCode
from transport.links import certificates
from transport.links.base import Link, Message, Way
from transport.links.certificates import Holder
from transport.links.credentials import Credentials
from transport.links.dial import Dial, Target
from transport.links.link import LinkEnd
from transport.links.listener import Listener, Welcome, anybody

HOST = "127.0.0.1"
PATIENCE = 15.0
"""Seconds after which a test that waits has failed."""
NOW = dt.datetime.now(dt.UTC)


class Deployment:
    """An authority, and folders with certificates of regions."""

    def __init__(self, folder: Path, authority: Holder | None = None) -> None:
        self.folder = folder
        self.authority = authority or certificates.make_authority("test", NOW)

    def folder_of(self, region: str) -> Path:
        return self.folder / region

    def credentials(
        self, region: str, *, signer: Holder | None = None, age: int = 0
    ) -> Credentials:
        """What `region` shows and trusts; signed by another authority, or so many days ago."""
        folder = self.folder_of(region)
        folder.mkdir(parents=True, exist_ok=True)
        certificates.write_trusted(folder, [self.authority.certificate])
        self.renew(region, signer=signer)
        return Credentials(folder, poll_interval=0.05)

    def renew(
        self, region: str, *, signer: Holder | None = None, lifetime: dt.timedelta | None = None
    ) -> Holder:
        fresh = certificates.issue(
            signer or self.authority, region, NOW, lifetime or dt.timedelta(days=90)
        )
        certificates.write_region(self.folder_of(region), fresh)
        return fresh


class Ear:
    """A listening region: `links` are those that came in and live."""

    def __init__(self) -> None:
        self.links: asyncio.Queue[LinkEnd] = asyncio.Queue()
        self.port = 0
        self.listener: Listener

    async def serve(self, link: Link) -> None:
        assert isinstance(link, LinkEnd)
        self.links.put_nowait(link)
        await link.wait_closed()


@asynccontextmanager
async def listening(
    credentials: Credentials, *, welcome: Welcome = anybody, port: int = 0
) -> AsyncIterator[Ear]:
    ear = Ear()
    ear.listener = Listener(credentials, ear.serve, welcome=welcome)
    async with ear.listener.listening(HOST, port) as ear.port:
        yield ear


@asynccontextmanager
async def dialled(target: Target, credentials: Credentials, way: Way) -> AsyncIterator[LinkEnd]:
    """A link, begun. Raises DialError."""
    tasks = asyncio.TaskGroup()
    link: LinkEnd | None = None
    failure: Exception | None = None
    async with tasks:
        try:
            link = await Dial(target, credentials, tasks).first_of((way,))
            link.begin()
            yield link
        except Exception as error:
            failure = error
        finally:
            if link is not None:
                link.close(CloseCode.NORMAL)
                await link.wait_closed()
    if failure is not None:
        raise failure


Before = Callable[[Relay], None]


@asynccontextmanager
async def joined(
    folder: Path, way: Way, seed: int = 1
) -> AsyncIterator[tuple[LinkEnd, LinkEnd, Relay]]:
    """(the dialler's end, the listener's, what carries UDP between them)."""
    deployment = Deployment(folder)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear, lossy(ear.port, seed) as (relay, port):
        target = Target("there", HOST, port if way is Way.QUIC else ear.port)
        async with dialled(target, here, way) as link:
            async with asyncio.timeout(PATIENCE):
                other = await ear.links.get()
            yield link, other, relay


async def take(link: Link, count: int, patience: float = PATIENCE) -> list[Message]:
    async with asyncio.timeout(patience):
        return [await link.receive() for _ in range(count)]
