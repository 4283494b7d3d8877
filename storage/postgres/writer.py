"""Group commit over asyncio: one connection, one transaction at a time for all who wait.

It keeps the promises of commit.GroupCommit. Beside them, PostgreSQL may go away and come back: then
what waits stays in the bounded queue and is tried again on a new connection, which is safe because
drafts are told apart by their client id. A caller waits for PATIENCE at most and is then told
StoreUnavailable; a new one that finds the queue full is told StoreBusy at once.

What holds always:
- calls go to the database in the order in which they came, and their callers are resumed in it;
- a call whose commit broke, and which is then found stored, is told that it is fresh: it knows its
  own entry by the time in it. Should somebody else have stored it in the same millisecond, both are
  told so, and publish it twice, which is no harm;
- a call that fails for its own reasons fails alone;
- `close` ends once everybody has been told.

May import: base, commit's bounds, connect, errors, group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

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
CAREFUL = 50
"""Groups after one with a resend in it that are not tried at once: resends come in swarms, and the
server logs each attempt that fails."""

UNLUCKY = (asyncpg.UniqueViolationError, asyncpg.DiskFullError)
"""What a group that is tried at once may meet when it has a resend in it. Done carefully, a resend
is found, and needs no room."""

Results = list[Appended | Conflict]


class _Call:
    """One caller's drafts, until when it waits, and whether they may be stored unheard."""

    __slots__ = ("doubtful", "drafts", "future", "size", "until")

    def __init__(
        self, drafts: Sequence[Draft], size: int, until: float, future: asyncio.Future[Results]
    ) -> None:
        self.drafts = drafts
        self.size = size
        self.until = until
        self.future = future
        self.doubtful = False

    def tell(self, results: Results) -> None:
        if not self.future.done():  # else cancelled while it waited
            self.future.set_result(results)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def own(self, results: Results, taken: set[Entry]) -> Results:
        """What is told when these were found: an entry that a lost commit of ours made is fresh."""
        if not self.doubtful:
            return results
        return [
            self._own(draft, told, taken) for draft, told in zip(self.drafts, results, strict=True)
        ]

    def _own(
        self, draft: Draft, told: Appended | Conflict, taken: set[Entry]
    ) -> Appended | Conflict:
        entry = told.entry
        if isinstance(told, Conflict) or entry.at != draft.at or entry in taken:
            return told
        taken.add(entry)
        return Appended(entry, fresh=True)


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
        self._careful = 0  # So many groups are not tried at once.
        self._sent = False  # Whether a commit is under way.
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
        self._sent = False
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
        """Have a group committed; what each of its callers is told."""
        drafts = [draft for call in batch for draft in call.drafts]
        if not drafts:
            return [[] for _ in batch]
        connection = await self._connected()
        if self._careful or not group.may_be_at_once(drafts):
            told = iter(await self._carefully(connection, drafts))
        else:
            self._sent = True
            told = iter(await group.append_at_once(connection, drafts, self._channels))
        taken: set[Entry] = set()
        return [call.own([next(told) for _ in call.drafts], taken) for call in batch]

    async def _carefully(self, connection: asyncpg.Connection, drafts: Sequence[Draft]) -> Results:
        async with connection.transaction():
            told = await group.append(connection, drafts, self._channels)
            self._sent = True
        resent = any(isinstance(one, Conflict) or not one.fresh for one in told)
        self._careful = CAREFUL if resent else max(self._careful - 1, 0)
        return told

    async def _failed(self, batch: list[_Call], error: Exception) -> None:
        if isinstance(error, UNLUCKY) and not self._careful:
            self._careful = CAREFUL
            self._again(batch)
        elif is_passing(error):
            for call in batch:
                call.doubtful |= self._sent
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
