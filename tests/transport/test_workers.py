"""Sessions on a port that workers share: they stay with their worker wherever they come from."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.transport.support.echo import echo, until
from tests.transport.support.wandering import wandering
from transport.quic.dial import Http3Client, Trust, WebTransport, dial
from transport.quic.steering import Slot
from transport.serve import Listening, ServeConfig, serving
from transport.tls import Certificates
from transport.workers import Descriptors, Group, adopt

PORTS = 300
PATIENCE = 15


class House:
    """A group with a server on each socket of a bank, in one process for the sake of speed."""

    def __init__(self, group: Group, certificates: Certificates, stack: AsyncExitStack) -> None:
        self.group = group
        self.workers: dict[int, list[Listening]] = {}
        self._certificates = certificates
        self._stack = stack

    async def fill(self, bank: int) -> None:
        """Start a generation."""
        config = ServeConfig(certificates=self._certificates, grace=0.2)
        workers = self.workers[bank] = []
        for index in range(self.group.workers):
            slot = Slot(bank, index, self.group.workers)
            inherited = self.group.of(slot)
            sockets = adopt(slot, Descriptors(os.dup(inherited.udp), os.dup(inherited.tcp), None))
            workers.append(await self._stack.enter_async_context(serving(echo, config, sockets)))

    def counts(self, name: str, bank: int = 0) -> list[int]:
        return [worker.stats()[name] for worker in self.workers[bank]]

    @asynccontextmanager
    async def client(self, port: int | None = None) -> AsyncIterator[Http3Client]:
        trust = Trust(hashes=frozenset(self._certificates.hashes()))
        async with dial("127.0.0.1", port or self.group.port, trust=trust) as client:
            yield client


@asynccontextmanager
async def opened(workers: int, folder: Path) -> AsyncIterator[House]:
    certificates = Certificates.development(folder)
    with closing(Group("127.0.0.1", 0, None, workers)) as group:
        async with AsyncExitStack() as stack:
            house = House(group, certificates, stack)
            await house.fill(0)
            yield house


async def echoes(session: WebTransport, count: int, start: int = 0) -> int:
    """Send numbered datagrams one by one; how many came back."""
    came = 0
    for n in range(start, start + count):
        session.send_datagram(b"%d" % n)
        async with asyncio.timeout(PATIENCE):
            while getattr(await session.receive(), "data", None) != b"%d" % n:
                pass
        came += 1
    return came


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_a_session_survives_a_new_port_with_every_packet(
    workers: int, tmp_path: Path
) -> None:
    async with (
        opened(workers, tmp_path) as house,
        wandering(house.group.port, PORTS) as (nat, port),
        house.client(port) as client,
    ):
        session = await client.open_webtransport("/")
        assert await echoes(session, 20) == 20
        nat.wanders = True
        assert await echoes(session, PORTS, 20) == PORTS
        assert len(nat.used) == PORTS
        assert sum(house.counts("quic_unroutable")) == 0
        assert sorted(house.counts("quic_connections")) == [0] * (workers - 1) + [1]


async def test_connections_spread_over_the_workers(tmp_path: Path) -> None:
    async with opened(2, tmp_path) as house, AsyncExitStack() as clients:
        for _ in range(24):
            await clients.enter_async_context(house.client())
        assert sum(house.counts("quic_connections")) == 24
        assert min(house.counts("quic_connections")) > 0


async def test_a_younger_generation_takes_what_is_new_and_the_older_keeps_its_own(
    tmp_path: Path,
) -> None:
    async with opened(2, tmp_path) as house, AsyncExitStack() as clients:
        old = [await clients.enter_async_context(house.client()) for _ in range(6)]
        sessions = [await client.open_webtransport("/") for client in old]
        await house.fill(1)
        house.group.steer(1, draining=True)
        new = [await clients.enter_async_context(house.client()) for _ in range(6)]
        sessions += [await client.open_webtransport("/") for client in new]
        assert sum(house.counts("quic_connections", 0)) == 6
        assert sum(house.counts("quic_connections", 1)) == 6
        assert [await echoes(session, 5) for session in sessions] == [5] * 12


async def test_tcp_goes_to_who_still_accepts(tmp_path: Path) -> None:
    async with opened(1, tmp_path) as house:
        await house.fill(1)
        [old], [new] = house.workers[0], house.workers[1]
        old.hand_over()
        believing = ssl.create_default_context()
        believing.check_hostname, believing.verify_mode = False, ssl.CERT_NONE
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", house.group.port, ssl=believing)
            writer.transport.abort()
        await until(lambda: new.stats()["tcp_accepted"] == 10, PATIENCE)
        assert old.stats()["tcp_accepted"] == 0
