"""Bring the search index up to date with logs that are older than it, for `tradewind reindex`.

The store lists the conversations that still have to be indexed and takes each off its list in the
transaction that indexes it: so this may be stopped at any moment and goes on where it was, and what
is said meanwhile is not missed.
May import: service; storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from server.service import searchable
from storage.base import Directory, Found, MessageLog, Search

TOGETHER = 64
"""Conversations indexed at a time, so that the store can commit them as one group."""
PAGE = 500
"""Entries read at a time."""

Told = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""


async def reindex(
    log: MessageLog, directory: Directory, search: Search, told: Told, *, everything: bool = False
) -> int:
    """Index what is not indexed, or everything anew; returns how many conversations it was."""
    count = await (search.reset_index() if everything else search.count_unindexed())
    done = 0
    told(done, count)
    while ids := await search.unindexed(limit=TOGETHER):
        # One that somebody writes into at this very moment stays on the list for the next round.
        done += sum(await asyncio.gather(*(_index(log, directory, search, id) for id in ids)))
        told(done, max(count, done))
    return done


async def _index(log: MessageLog, directory: Directory, search: Search, id: UUID) -> bool:
    record = await directory.get_conversation(id)
    found: dict[int, Found] = {}
    head = 0
    while page := await log.read(id, after=head, limit=PAGE):
        searchable.fold(found, page)
        head = page[-1].seq
    known = list(found.values()) if record is not None else []
    return await search.index(id, "" if record is None else record.shop, head, known)
