"""Group commit over asyncio: one connection, one transaction at a time for all who wait.

It keeps the promises of commit.GroupCommit. Beside them, PostgreSQL may go away and come back: then
what waits stays in the bounded queue and is tried again on a new connection, which is safe because
drafts are told apart by their client id. A caller waits for PATIENCE at most and is then told
StoreUnavailable; a new one that finds the queue full is told StoreBusy at once.

What holds always:
- calls go to the database in the order in which they came, and their callers are resumed in it;
- a call that was in a transaction whose commit broke, and which is found stored, is told that it is
  fresh, once: the commit was its own;
- a call that fails for its own reasons fails alone;
- `close` ends once everybody has been told.

May import: base, commit's bounds, connect, errors, group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

import asyncpg

from storage.base import Appended, Conflict, Draft, Entry, StorageError, StoreUnavailable
from storage.commit import Bounds, Room
from storage.postgres import group
from storage.postgres.connect import connect, disconnect
from storage.postgres.errors import COLLISIONS, is_passing, translate
from storage.url import PostgresPlace

PATIENCE = 10.0
"""Seconds for which a call waits for a PostgreSQL that went away."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach it, doubled from the one to the other."""
TRIES = 5
"""Times in a row that transactions may collide before their callers are told to come back."""

Results = list[Appended | Conflict]


class _Call:
    """One caller's drafts, until when it waits, and as what they were last about to be stored."""

    __slots__ = ("drafts", "future", "placed", "size", "until")

    def __init__(
        self, drafts: Sequence[Draft], size: int, until: float, future: asyncio.Future[Results]
    ) -> None:
        self.drafts = drafts
        self.size = size
        self.until = until
        self.future = future
        self.placed: set[Entry] = set()

    def tell(self, results: Results) -> None:
        if not self.future.done():  # else cancelled while it waited
            self.future.set_result(results)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def own(self, results: Results) -> Results:
        """Take what an earlier commit of this call has stored for fresh."""
        return [self._own(result) for result in results] if self.placed else results

    def _own(self, result: Appended | Conflict) -> Appended | Conflict:
        if isinstance(result, Appended) and not result.fresh and result.entry in self.placed:
            self.placed.remove(result.entry)
            return Appended(result.entry, fresh=True)
        return result


class Writer:
    """The queue, and the task that empties it, which begins with the first call."""

    def __init__(
        self, place: PostgresPlace, bounds: Bounds | None, channels: Sequence[str]
    ) -> None:
        self._place = place
        self._bounds = bounds or Bounds()
        self._channels = tuple(channels)
        self._room = Room(self._bounds)
        self._calls: deque[_Call] = deque()
        self._news = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._pause = FIRST_PAUSE
        self._collisions = 0
        self._alone = 0  # So many calls are tried one by one: one of them is bad.

    async def append(self, drafts: Sequence[Draft], size: int) -> Results:
        """Have them committed. Raises like MessageLog.append."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._room.take(len(drafts), size)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Results] = loop.create_future()
        self._calls.append(_Call(drafts, size, loop.time() + PATIENCE, future))
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="postgres writer")
        return await future

    async def close(self) -> None:
        """Finish what waits, then disconnect. May be called more than once."""
        self._closed = True
        self._news.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        while not (self._closed and not self._calls):
            if self._calls:
                await self._serve(self._gather())
            else:
                self._news.clear()
                await self._news.wait()
        await self._disconnect()

    def _gather(self) -> list[_Call]:
        batch, drafts = [self._calls.popleft()], 0
        if self._alone:
            self._alone -= 1
            return batch
        drafts = len(batch[0].drafts)
        while self._calls and drafts < self._bounds.batch_drafts:
            batch.append(self._calls.popleft())
            drafts += len(batch[-1].drafts)
        return batch

    async def _serve(self, batch: list[_Call]) -> None:
        try:
            results = await self._transact(batch)
        except Exception as error:
            await self._failed(batch, error)
        else:
            self._pause, self._collisions = FIRST_PAUSE, 0
            for call, told in zip(batch, results, strict=True):
                self._room.give_back(len(call.drafts), call.size)
                call.tell(told)

    async def _transact(self, batch: list[_Call]) -> list[Results]:
        drafts = [draft for call in batch for draft in call.drafts]
        if not drafts:
            return [[] for _ in batch]
        connection = await self._connected()
        async with connection.transaction():
            told = iter(await group.append(connection, drafts, self._channels))
            results = [call.own([next(told) for _ in call.drafts]) for call in batch]
            for call, mine in zip(batch, results, strict=True):
                # From here on the commit may happen without our hearing of it.
                call.placed = set(_fresh(mine))
        return results

    async def _failed(self, batch: list[_Call], error: Exception) -> None:
        if is_passing(error):
            await self._disconnect()
            self._again(batch)
            self._expire(translate(error, self._place))
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        elif isinstance(error, COLLISIONS) and self._collisions < TRIES:
            self._collisions += 1
            self._again(batch)
        elif len(batch) == 1 or isinstance(translate(error, self._place), StorageError):
            self._collisions = 0
            self._fail(batch, translate(error, self._place))
        else:
            self._again(batch)
            self._alone = len(batch)

    def _again(self, batch: list[_Call]) -> None:
        self._calls.extendleft(reversed(batch))

    def _expire(self, error: Exception) -> None:
        """Tell those whose patience is over; the first in the queue have waited longest."""
        now, late = asyncio.get_running_loop().time(), []
        while self._calls and self._calls[0].until <= now:
            late.append(self._calls.popleft())
        self._alone = max(self._alone - len(late), 0)
        self._fail(late, error)

    def _fail(self, batch: list[_Call], error: Exception) -> None:
        for call in batch:
            self._room.give_back(len(call.drafts), call.size)
            call.fail(error)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._place, group.SETTINGS)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)


def _fresh(results: Results) -> Iterator[Entry]:
    return (told.entry for told in results if isinstance(told, Appended) and told.fresh)
