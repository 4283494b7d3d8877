"""The session suite over the in-memory pair: every kind of carrier, and a bad network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.conformance.session_suite import Maker, Pair, SessionSuite
from transport.memory import Network, memory_pair


def maker(network: Network) -> Maker:
    @asynccontextmanager
    async def make() -> AsyncIterator[Pair]:
        async with memory_pair(network) as (client, server):
            yield Pair(client, server)

    return make


class TestDatagrams(SessionSuite):
    @pytest.fixture
    def pairs(self) -> Maker:
        return maker(Network())


class TestBadNetwork(SessionSuite):
    @pytest.fixture
    def pairs(self) -> Maker:
        return maker(Network(loss=0.3, late=0.3, delay=0.005))


class TestStreamOnly(SessionSuite):
    @pytest.fixture
    def pairs(self) -> Maker:
        return maker(Network(max_datagram=0))


class TestMessages(SessionSuite):
    @pytest.fixture
    def pairs(self) -> Maker:
        return maker(Network(max_datagram=None))
