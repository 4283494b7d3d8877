"""Locks and loads of one process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from server.service.coordinator.load import LIFETIME, LocalLoad
from server.service.coordinator.locks import EPOCH, LocalLocks
from storage.memory_journal import MemoryJournal
from tests.conformance import load_suite, locks_suite
from tests.conformance.load_suite import LoadSuite
from tests.conformance.locks_suite import LocksSuite


class Now:
    """A process: all it has in memory is gone with it."""

    def __init__(self, begin: Callable[[], object]) -> None:
        self._begin = begin
        self.has = begin()

    async def forget(self) -> None:
        self.has = self._begin()


class TestLocalLocks(LocksSuite):
    @pytest.fixture
    def now(self) -> Now:
        journal = MemoryJournal()
        return Now(lambda: LocalLocks(journal, time.monotonic))

    @pytest.fixture
    def make(self, now: Now) -> locks_suite.Make:
        return lambda: now.has  # type: ignore[return-value]

    @pytest.fixture
    def forget(self, now: Now) -> Callable[[], Awaitable[None]]:
        return now.forget


class TestLocalLoad(LoadSuite):
    @pytest.fixture
    def now(self) -> Now:
        return Now(lambda: LocalLoad(time.monotonic))

    @pytest.fixture
    def make(self, now: Now) -> load_suite.Make:
        def make(lifetime: float = LIFETIME) -> object:
            if lifetime != LIFETIME:
                now.has = LocalLoad(time.monotonic, lifetime)
            return now.has

        return make  # type: ignore[return-value]

    @pytest.fixture
    def forget(self, now: Now) -> Callable[[], Awaitable[None]]:
        return now.forget


async def test_an_epoch_that_is_used_up_is_followed_by_another() -> None:
    locks = LocalLocks(MemoryJournal(), time.monotonic)
    first = await locks.acquire(0, seconds=60)
    locks._count = EPOCH - 1
    second = await locks.acquire(1, seconds=60)
    assert first is not None
    assert second is not None
    assert (first.token // EPOCH, second.token // EPOCH) == (1, 2)
    assert second.token > first.token
