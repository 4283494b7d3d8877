"""The machine of test_one_log.py on a log with the hot index, flushed, evicted and killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis.stateful import rule

from storage.base import MessageLog
from storage.hot import HotLog
from storage.memory import MemoryLog
from storage.redis import connect
from tests.storage.hot import PATIENT, built
from tests.storage.test_one_log import OneLog, conversations, positions, within
from tests.support.redis import RedisServer, started


class OneHotLog(OneLog):
    """Two workers take turns on one inner log."""

    server: RedisServer

    def open(self) -> MessageLog:
        self.inner = MemoryLog()
        self.redis = connect(self.server.unix_url)
        self.hand = connect(self.server.unix_url)
        self.restarts = 0
        self.runner.run(self.hand.flushall())
        self.other = HotLog(self.inner, self.redis, tuning=PATIENT)
        return HotLog(self.inner, self.redis, tuning=PATIENT)

    def reopen(self) -> None:
        """The other worker's turn."""
        self.log, self.other = self.other, self.log  # type: ignore[assignment]

    def teardown(self) -> None:
        if hasattr(self, "log"):
            for closing in (self.log, self.other):
                self.runner.run(closing.close())
            for client in (self.redis, self.hand):
                self.runner.run(client.aclose())
        super().teardown()

    @rule()
    def flush(self) -> None:
        self.runner.run(self.hand.flushall())

    @rule(id=conversations)
    def evict(self, id: UUID) -> None:
        async def work() -> None:
            if keys := [key for key in await self.hand.keys("*") if key.endswith(id.bytes)]:
                await self.hand.delete(*keys)

        self.runner.run(work())

    @rule()
    def build(self) -> None:
        assert isinstance(self.log, HotLog)
        self.runner.run(built(self.log))

    @rule(id=conversations, after=positions)
    def resume(self, id: UUID, after: int) -> None:
        """As often as it takes to be built and served from the index."""
        for _ in range(3):
            self.read_after(id, after, 12)
            self.build()

    @rule()
    def kill_redis(self) -> None:
        if self.restarts < 1:
            self.restarts += 1
            self.runner.run(self.hand.connection_pool.disconnect())
            self.server.restart()


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with (
        tempfile.TemporaryDirectory() as folder,
        started(RedisServer(Path(folder), "appendonly yes")) as server,
    ):
        OneHotLog.server = server
        yield


TestOneHotLog = OneHotLog.TestCase
TestOneHotLog.settings = within(20)
