"""The locks: which key falls into which segment, waiting for one, holding it; and locks within one
process.

Tokens. A token is an epoch and a count, in one number, so that it sorts by the epoch first. The
count is kept with the lock, in memory, and may be lost with it. The epoch is drawn from the
journal, which is on disk and never gives one twice, whenever the count begins anew. So a token
never goes back, however often the memory is lost. What it takes for several processes to agree on
an epoch is told in redis_locks.py; in one process it is drawn once.

What holds always: whoever waits for a lock waits for at most `patience` seconds, and over
MAX_WAITING for one segment in one process not at all: both raise LockBusy; a held lease is renewed
while the block that holds it runs, and released when it ends.
May import: base; the journal of storage.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import structlog

from server.service.coordinator.base import Lease, LockBusy, Locks, LockUnavailable
from storage.base import Journal, StorageError

SEGMENTS = 32
LEASE = 10.0
"""Seconds after which the lock of a process that died or stood still is free."""
RENEWALS = 3
"""How often a lease is renewed before it would run out."""
PATIENCE = 5.0
"""Seconds to wait for a lock: longer than any transaction takes, shorter than a lease."""
MAX_WAITING = 64
"""Who may wait for one segment in one process. Over it: LockBusy at once."""
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1
"""Seconds between two attempts to take a lock that another process holds; they double."""
EPOCH = 2**32
"""Tokens of one epoch. A count that comes there begins anew in the next epoch."""
NAME = "locks"
"""Under which the journal counts the epochs."""

log = structlog.get_logger(__name__)


def segment(key: UUID) -> int:
    """The lock that a key falls under."""
    return zlib.crc32(key.bytes) % SEGMENTS


def token(epoch: int, count: int) -> int:
    """The fencing token."""
    return epoch * EPOCH + count


class Holding:
    """Takes locks for the transactions of one process."""

    def __init__(self, locks: Locks, *, lease: float = LEASE, patience: float = PATIENCE) -> None:
        self._locks = locks
        self._lease = lease
        self._patience = patience
        # Who is first here asks the others; so a process is one contender, and fair within.
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: defaultdict[int, int] = defaultdict(int)

    @asynccontextmanager
    async def of(self, key: UUID) -> AsyncIterator[Lease]:
        """Hold the lock of a key. Raises LockBusy or LockUnavailable."""
        number = segment(key)
        if self._waiting[number] >= MAX_WAITING:
            raise LockBusy(f"{MAX_WAITING} wait for segment {number} already")
        self._waiting[number] += 1
        try:
            lease = await self._wait(number)
        finally:
            self._waiting[number] -= 1
        renewing = asyncio.create_task(self._renew(lease))
        try:
            yield lease
        finally:
            renewing.cancel()
            try:
                await asyncio.wait([renewing])
                with suppress(LockUnavailable):  # The lease runs out by itself.
                    await self._locks.release(lease)
            finally:
                self._turns[number].release()

    async def _wait(self, number: int) -> Lease:
        turn = self._turns[number]
        try:
            async with asyncio.timeout(self._patience):
                await turn.acquire()
                try:
                    return await self._take(number)
                except BaseException:
                    turn.release()
                    raise
        except TimeoutError:
            raise LockBusy(f"segment {number} was held for too long") from None

    async def _take(self, number: int) -> Lease:
        pause = FIRST_PAUSE
        while (lease := await self._locks.acquire(number, seconds=self._lease)) is None:
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)
        return lease

    async def _renew(self, lease: Lease) -> None:
        """Renew until it is lost. Losing it is no harm: the token is what protects."""
        while True:
            await asyncio.sleep(self._lease / RENEWALS)
            try:
                if not await self._locks.renew(lease, seconds=self._lease):
                    log.warning("coordinator.lease_lost", segment=lease.segment, token=lease.token)
                    return
            except LockUnavailable as error:
                log.warning("coordinator.lease_not_renewed", reason=str(error))


class LocalLocks:
    """See Locks. All who use a journal must use the same one; `clock` is monotonic."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._epoch: int | None = None
        self._count = 0
        self._held: dict[int, tuple[Lease, float]] = {}

    async def acquire(self, segment: int, *, seconds: float) -> Lease | None:
        """See Locks."""
        if self._epoch is None or self._count + 1 >= EPOCH:
            await self._begin_epoch()
        if self._holder(segment) is not None:
            return None
        self._count += 1
        lease = Lease(segment, token(self._epoch or 0, self._count), uuid4().hex)
        self._held[segment] = lease, self._clock() + seconds
        return lease

    async def renew(self, lease: Lease, *, seconds: float) -> bool:
        """See Locks."""
        if self._holder(lease.segment) != lease:
            return False
        self._held[lease.segment] = lease, self._clock() + seconds
        return True

    async def release(self, lease: Lease) -> bool:
        """See Locks."""
        if self._holder(lease.segment) != lease:
            return False
        del self._held[lease.segment]
        return True

    async def _begin_epoch(self) -> None:
        try:
            epoch = await self._journal.next_epoch(NAME)
        except StorageError as error:
            raise LockUnavailable(f"no epoch for the locks: {error}") from error
        if epoch > (self._epoch or 0):  # Another caller here may have been faster.
            self._epoch, self._count = epoch, 0

    def _holder(self, segment: int) -> Lease | None:
        lease, until = self._held.get(segment, (None, 0.0))
        return lease if self._clock() < until else None
