"""The suite of the seam, on every way there is, on the loop that servers use and on asyncio's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conformance.link_suite import LinkSuite, Maker
from tests.transport.links.support import joined
from transport.links.base import Way
from transport.links.link import LinkEnd
from transport.links.memory import link_pair
from transport.memory import Network

NETWORKS = {
    "plain": Network(max_datagram=0),
    "lossy": Network(delay=0.002, loss=0.1, late=0.1),
}


class TestMemory(LinkSuite):
    @pytest.fixture(params=NETWORKS)
    def links(self, request: pytest.FixtureRequest) -> Maker:
        return lambda: link_pair(NETWORKS[request.param])


class TestQuic(LinkSuite):
    @pytest.fixture
    def links(self, tmp_path: Path) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[tuple[LinkEnd, LinkEnd]]:
            async with joined(tmp_path, Way.QUIC) as (here, there, _):
                yield here, there

        return make


class TestLossyQuic(LinkSuite):
    @pytest.fixture
    def links(self, tmp_path: Path) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[tuple[LinkEnd, LinkEnd]]:
            async with joined(tmp_path, Way.QUIC) as (here, there, relay):
                relay.loss = 0.05
                yield here, there

        return make


class TestTcp(LinkSuite):
    @pytest.fixture
    def links(self, tmp_path: Path) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[tuple[LinkEnd, LinkEnd]]:
            async with joined(tmp_path, Way.TCP) as (here, there, _):
                yield here, there

        return make
