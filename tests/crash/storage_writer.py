"""A process that appends as fast as it can until it is killed, and tells what was accepted.

One line per accepted entry, flushed after `append` returned: conversation client_id seq body.
Run by test_storage_crash.py: storage_writer.py URL SEED
"""

from __future__ import annotations

import asyncio
import random
import sys
from uuid import UUID, uuid4

from storage.base import Appended, Draft, MessageLog
from storage.open import open_storage

CONVERSATIONS = [UUID(int=n) for n in range(1, 6)]
WRITERS = 8


async def write(log: MessageLog, chance: random.Random) -> None:
    while True:
        drafts = [draft(chance) for _ in range(chance.randint(1, 4))]
        told = await log.append(drafts)
        if chance.random() < 0.1:  # a client that did not hear the answer
            told += await log.append(drafts)
        for result in told:
            assert isinstance(result, Appended)
            entry = result.entry
            body = entry.body.hex()
            print(entry.conversation, entry.client_id, entry.seq, body, flush=True)


def draft(chance: random.Random) -> Draft:
    body = chance.randbytes(chance.choice([1, 40, 300, 5_000]))
    return Draft(chance.choice(CONVERSATIONS), "visitor:1", uuid4(), "message", body, 1)


async def main(url: str, seed: int) -> None:
    log = open_storage(url).log
    async with asyncio.TaskGroup() as tasks:
        for n in range(WRITERS):
            tasks.create_task(write(log, random.Random(seed * WRITERS + n)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
