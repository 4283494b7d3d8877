"""What holds for every store that is opened by a URL and outlives its closing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.base import Appended, Shop, StoreUnavailable
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


def serves_one_process(url: str) -> None:
    """While another process has it open, it is refused in words; afterwards it opens."""
    hold = (
        "import sys; from storage.open import open_storage\n"
        f"open_storage({url!r}); print('open', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold], stdin=pipe, stdout=pipe) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"open\n"
            with pytest.raises(StoreUnavailable, match="open in another process"):
                open_storage(url)
        finally:
            other.kill()
    asyncio.run(open_storage(url).close())
