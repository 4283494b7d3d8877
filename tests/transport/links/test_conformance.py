"""The suite of the seam, on every way there is; the memory loses packets too."""

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


class TestMemory(LinkSuite):
    @pytest.fixture
    def links(self) -> Maker:
        return lambda: link_pair(Network(delay=0.002, loss=0.1, late=0.1))


class TestQuic(LinkSuite):
    @pytest.fixture
    def links(self, tmp_path: Path) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[tuple[LinkEnd, LinkEnd]]:
            async with joined(tmp_path, Way.QUIC) as (here, there, _):
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
