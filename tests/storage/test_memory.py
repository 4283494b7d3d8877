"""The stores in memory keep the promises of the seam."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.base import Directory
from storage.commit import Bounds
from storage.memory import MemoryDirectory, MemoryLog
from storage.memory_outbox import MemoryOutbox
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import LogSuite, MakeLog
from tests.conformance.outbox_suite import OutboxSuite, Stores


class TestMemoryLog(LogSuite):
    @pytest.fixture
    async def make(self) -> AsyncIterator[MakeLog]:
        made: list[MemoryLog] = []

        def make(bounds: Bounds | None = None) -> MemoryLog:
            made.append(MemoryLog(bounds))
            return made[-1]

        yield make
        for log in made:
            await log.close()


class TestMemoryDirectory(DirectorySuite):
    @pytest.fixture
    def directory(self) -> Directory:
        return MemoryDirectory()


class TestMemoryOutbox(OutboxSuite):
    @pytest.fixture
    async def stores(self) -> AsyncIterator[Stores]:
        now = [0.0]

        async def wait(seconds: float) -> None:
            now[0] += seconds

        log, directory = MemoryLog(), MemoryDirectory()
        yield Stores(log, directory, MemoryOutbox(log, directory, lambda: now[0]), wait)
        await log.close()
