"""RocksDBLog: the MessageLog on a RocksDB database.

The writer thread alone numbers entries and knows the heads of the conversations it wrote lately. A
lookup of the client id, which the filters answer without the disk when it is new, tells resends.

May import: base, entries, limits, commit, readers, writer, database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from storage.base import Appended, Conflict, Draft, Entry, Head
from storage.commit import Bounds, GroupCommit
from storage.entries import answer_resend, place
from storage.limits import MAX_INTEGER, check_ids, check_integer, check_limit, weigh
from storage.readers import Readers
from storage.rocksdb.database import Database
from storage.rocksdb.writer import Writer

T = TypeVar("T")

READERS = 1
"""Threads that read: rocksdict lets one read at a time anyway."""


class RocksDBLog:
    """See MessageLog. Closing it closes the writer."""

    def __init__(self, writer: Writer, bounds: Bounds | None = None) -> None:
        self._writer = writer
        self._commit = GroupCommit(writer, bounds)
        self._readers = Readers(READERS)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        size = weigh(drafts)
        work = partial(_append, tuple(drafts), self._writer)
        return await self._commit.run(work, drafts=len(drafts), size=size)

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """See MessageLog."""
        check_integer("after", after)
        check_limit(limit)
        return await self._read(
            lambda database: database.entries(conversation.bytes, after + 1, limit=limit)
        )

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """See MessageLog."""
        check_integer("before", before or 0)
        check_limit(limit)
        start = MAX_INTEGER if before is None else max(before - 1, 0)
        return await self._read(
            lambda database: database.entries(
                conversation.bytes, start, limit=limit, backwards=True
            )[::-1]
        )

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """See MessageLog."""
        check_ids(conversations)
        return await self._read(partial(_heads, tuple(conversations)))

    async def close(self) -> None:
        """See MessageLog."""
        await self._readers.close()
        await self._commit.close()

    async def _read(self, work: Callable[[Database], T]) -> T:
        return await self._readers.run(partial(self._writer.read, work))


def _append(drafts: Sequence[Draft], writer: Writer) -> list[Appended | Conflict]:
    return [_append_one(draft, writer) for draft in drafts]


def _append_one(draft: Draft, writer: Writer) -> Appended | Conflict:
    stored = writer.find(draft)
    if stored is not None:
        return answer_resend(draft, stored)
    head = writer.head(draft.conversation)
    entry = place(draft, head.epoch, head.seq + 1)
    writer.add(entry)
    return Appended(entry, fresh=True)


def _heads(conversations: Sequence[UUID], database: Database) -> dict[UUID, Head]:
    found = ((id, database.head(id.bytes)) for id in conversations)
    return {id: head for id, head in found if head}
