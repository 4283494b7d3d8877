"""For the tests of sessions: the loops they run on, and one running server for each module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
import uvloop

from tests.transport.support.stack import Stack, running

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Servers run on uvloop, which keeps time and timers differently; the pair in memory, and what
    sits on sockets itself, is tried on both."""
    loops: dict[str, LoopFactory] = {}
    if item.path.parent.name == "links":
        return {"uvloop": uvloop.new_event_loop}  # what they are made of is tried on both elsewhere
    sessions, sockets = item.path.name.startswith("test_sessions"), item.path.parent.name == "tcp"
    if not sessions or "memory" in item.path.name:
        loops["asyncio"] = asyncio.new_event_loop
    if sessions or sockets:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(tmp_path_factory.mktemp("certificates")) as stack:
        yield stack
