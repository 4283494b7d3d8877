"""The stores on PostgreSQL keep the promises of the seams, and those of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.base import Directory
from storage.commit import Bounds
from storage.open import Storage, open_storage
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import LogSuite, MakeLog
from tests.conformance.outbox_suite import OutboxSuite, Stores


@pytest.fixture
async def storage(postgres_url: str) -> AsyncIterator[Storage]:
    storage = open_storage(postgres_url)
    yield storage
    await storage.close()


class TestPostgresLog(LogSuite):
    @pytest.fixture
    async def make(self, postgres_url: str) -> AsyncIterator[MakeLog]:
        made: list[Storage] = []

        def make(bounds: Bounds | None = None) -> object:
            made.append(open_storage(postgres_url, bounds))
            return made[-1].log

        yield make
        for storage in made:
            await storage.close()


class TestPostgresDirectory(DirectorySuite):
    @pytest.fixture
    def directory(self, storage: Storage) -> Directory:
        return storage.directory


class TestPostgresOutbox(OutboxSuite):
    @pytest.fixture
    async def stores(self, storage: Storage, postgres_url: str) -> Stores:
        from storage.postgres.connect import connected
        from storage.url import parse

        async def wait(seconds: float) -> None:
            """The past is moved, not the clock: it is the database's."""
            async with connected(parse(postgres_url)) as connection:
                await connection.execute(
                    "UPDATE outbox SET at = at - make_interval(secs => $1), "
                    "claimed_at = claimed_at - make_interval(secs => $1)",
                    seconds,
                )

        return Stores(storage.log, storage.directory, storage.outbox, wait)
