"""What holds for every store that is opened by a URL and outlives its closing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.base import Appended, Shop
from storage.commit import Bounds
from storage.open import Storage, open_storage
from tests.conformance.log_suite import LogSuite, MakeLog, draft, fresh


class LogByURL(LogSuite):
    """The suite of the log, on a store whose URLs are `pattern` with a folder and a number."""

    pattern: str

    @pytest.fixture
    async def make(self, tmp_path: Path) -> AsyncIterator[MakeLog]:
        made: list[Storage] = []

        def make(bounds: Bounds | None = None) -> object:
            made.append(open_storage(self.pattern.format(tmp_path, len(made)), bounds))
            return made[-1].log

        yield make
        for storage in made:
            await storage.close()


async def is_there_after_reopening(url: str) -> None:
    """Entries and records."""
    conversation, sent = uuid4(), draft(uuid4())
    storage = open_storage(url)
    [first] = await storage.log.append([sent])
    await storage.log.append([draft(conversation)])
    await storage.directory.put_shop(Shop("zebra", "Zebra", ()))
    await storage.close()

    storage = open_storage(url)
    assert await storage.log.append([sent]) == [Appended(fresh(first), fresh=False)]
    [second] = await storage.log.append([draft(conversation)])
    assert fresh(second).seq == 2
    assert await storage.directory.list_shops() == [Shop("zebra", "Zebra", ())]
    await storage.close()
