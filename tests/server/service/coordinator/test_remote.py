"""Locks and loads of another process of this host, over a real socket."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from server.service.coordinator.base import LockUnavailable
from server.service.coordinator.load import LIFETIME, LoadUnavailable, LocalLoad
from server.service.coordinator.locks import LocalLocks
from server.service.coordinator.remote import RemoteLoad, RemoteLocks, linked, serving
from storage.memory_journal import MemoryJournal
from tests.conformance import load_suite, locks_suite
from tests.conformance.load_suite import ANN, LoadSuite
from tests.conformance.locks_suite import LocksSuite


class Keeper:
    """The other process: it may be replaced, and has forgotten everything then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = MemoryJournal()
        self._stack = AsyncExitStack()
        self._links = AsyncExitStack()

    async def start(self, lifetime: float = LIFETIME) -> None:
        await self._stack.aclose()
        locks = LocalLocks(self._journal, time.monotonic)
        load = LocalLoad(time.monotonic, lifetime)
        await self._stack.enter_async_context(serving(self.path, locks, load))

    async def close(self) -> None:
        await self._links.aclose()
        await self._stack.aclose()

    def locks(self) -> RemoteLocks:
        link = linked(self.path)
        self._links.push_async_callback(link.close)
        return RemoteLocks(link)

    def load(self) -> RemoteLoad:
        link = linked(self.path)
        self._links.push_async_callback(link.close)
        return RemoteLoad(link)


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Keeper]:
    keeper = Keeper(tmp_path / "places.sock")
    await keeper.start()
    yield keeper
    await keeper.close()


@pytest.fixture
def forget(keeper: Keeper) -> Callable[[], Awaitable[None]]:
    return keeper.start


class TestRemoteLocks(LocksSuite):
    @pytest.fixture
    def make(self, keeper: Keeper) -> locks_suite.Make:
        return keeper.locks


class TestRemoteLoad(LoadSuite):
    @pytest.fixture
    def make(self, keeper: Keeper) -> load_suite.Make:
        return keeper.load

    async def test_it_ends_and_is_made_again(self, make: load_suite.Make, keeper: Keeper) -> None:
        await keeper.start(lifetime=0.05)
        await super().test_it_ends_and_is_made_again(lambda lifetime: make())


async def test_nobody_there(tmp_path: Path) -> None:
    link = linked(tmp_path / "none.sock")
    with pytest.raises(LockUnavailable, match=r"none\.sock"):
        await RemoteLocks(link).acquire(0, seconds=1)
    with pytest.raises(LoadUnavailable, match=r"none\.sock"):
        await RemoteLoad(link).taken(ANN)
    await link.close()
