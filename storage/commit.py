"""Group commit off the event loop: many callers, one writer thread, one transaction per batch.

A caller hands in a piece of work (a function that writes to the store) and waits. The writer
thread takes everything that waits, up to a bound, and runs it inside one transaction, so that a
single sync to disk serves them all: the busier the store, the larger the batches.

What holds always:
- work runs in the order in which it was handed in, in the writer thread only;
- nobody is told of success before the commit of the batch returned;
- the callers of a batch are resumed in that same order, from one callback on the loop;
- what waits is bounded in drafts and in bytes, counted until the caller has been told; at the
  bound `run` raises StoreBusy at once;
- a batch that fails because of the store (a full disk) fails for all its callers and the next
  batch tries anew; work that fails for its own reasons fails alone, the rest is committed;
- a caller that is cancelled while it waits disturbs nobody; its work may still be committed;
- `close` finishes what waits.

May import: base. Knows no particular store.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from storage.base import Missing, NotUnique, StorageError, StoreBusy, StoreUnavailable

T = TypeVar("T")

REFUSALS = (NotUnique, Missing)
"""Work that raises one of these has changed nothing: the transaction around it goes on."""


class Bounds(Struct, frozen=True):
    """How much may wait for the disk, and how much goes into one transaction."""

    waiting_drafts: int = 8_192
    waiting_bytes: int = 33_554_432
    batch_drafts: int = 1_024
    retry_after: float = 0.25
    """Seconds told to a caller that found the queue full: time to write about all of it."""


class Room:
    """What waits, counted against its bounds. For one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._drafts = 0
        self._bytes = 0

    def take(self, drafts: int, size: int) -> None:
        """Let a call in. Raises StoreBusy when there is no room, ValueError when there never is."""
        bounds = self._bounds
        if drafts > bounds.waiting_drafts or size > bounds.waiting_bytes:
            raise ValueError(f"{drafts} drafts of {size} bytes can never fit into the queue")
        if (
            self._drafts + drafts > bounds.waiting_drafts
            or self._bytes + size > bounds.waiting_bytes
        ):
            raise StoreBusy(bounds.retry_after)
        self._drafts += drafts
        self._bytes += size

    def give_back(self, drafts: int, size: int) -> None:
        """A call that was let in has been told."""
        self._drafts -= drafts
        self._bytes -= size


class Transactions(Protocol):
    """What a store gives the writer thread, which alone calls these, one transaction at a time."""

    def begin(self) -> None:
        """Start a transaction. When it raises, none was started."""
        ...

    def commit(self) -> None:
        """Put it on disk; durable when this returns."""
        ...

    def rollback(self) -> None:
        """Undo it and everything remembered of it. Never raises."""
        ...

    def close(self) -> None:
        """Release the store. Never raises; the last call."""
        ...


class _Call(Generic[T]):
    """One caller's work, what it weighs, and what came of it."""

    __slots__ = ("drafts", "error", "future", "result", "size", "work")

    def __init__(
        self, work: Callable[[], T], drafts: int, size: int, future: asyncio.Future[T]
    ) -> None:
        self.work = work
        self.drafts = drafts
        self.size = size
        self.future = future
        self.result: T | None = None
        self.error: Exception | None = None

    def perform(self) -> None:
        """Run the work inside the open transaction (writer thread)."""
        self.error = None
        try:
            self.result = self.work()
        except REFUSALS as refusal:
            self.error = refusal

    def resolve(self) -> None:
        """Tell the caller (event loop)."""
        if self.future.done():
            return  # cancelled while it waited
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T, once performed


class GroupCommit:
    """The writer thread of one store, and the bounded queue before it. One event loop uses it."""

    def __init__(self, store: Transactions, bounds: Bounds | None = None) -> None:
        self._store = store
        self._bounds = bounds or Bounds()
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._room = Room(self._bounds)  # counted on the loop only, so it needs no lock
        self._closed = False
        # A daemon: a process that ends without close() must not hang on it, and loses nothing
        # that it promised.
        self._thread = threading.Thread(target=self._write, name="commit", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], T], *, drafts: int = 1, size: int = 0) -> T:
        """Have `work` run in the writer thread and committed; `drafts` and `size` are its weight.

        Raises what the work raised, or StoreBusy, StoreFull, StoreUnavailable: then nothing of it
        was stored.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._room.take(drafts, size)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put(_Call(work, drafts, size, future))
        return await future

    async def close(self) -> None:
        """Commit what waits, tell its callers, end the thread. May be called more than once."""
        if not self._closed:
            self._closed = True
            self._calls.put(None)
        await asyncio.to_thread(self._thread.join)

    # From here on: the writer thread.

    def _write(self) -> None:
        while (first := self._calls.get()) is not None:
            batch = self._gather(first)
            self._commit(batch)
            self._tell(batch)
            del first, batch  # or an idle thread would keep the last bodies alive
        self._store.close()

    def _gather(self, first: _Call[Any]) -> list[_Call[Any]]:
        batch, drafts = [first], first.drafts
        while drafts < self._bounds.batch_drafts:
            try:
                call = self._calls.get_nowait()
            except Empty:
                break
            if call is None:  # the end, which nothing follows: met again by _write
                self._calls.put(None)
                break
            batch.append(call)
            drafts += call.drafts
        return batch

    def _commit(self, batch: Sequence[_Call[Any]]) -> None:
        try:
            self._transact(batch)
        except StorageError as error:
            for call in batch:
                call.error = error
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            # Somebody's work is bad. One at a time, so that only the guilty fails.
            for call in batch:
                self._commit([call])

    def _transact(self, batch: Sequence[_Call[Any]]) -> None:
        self._store.begin()
        try:
            for call in batch:
                call.perform()
            self._store.commit()
        except BaseException:
            self._store.rollback()
            raise

    def _tell(self, batch: Sequence[_Call[Any]]) -> None:
        try:
            batch[0].future.get_loop().call_soon_threadsafe(self._resolve, batch)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to be told

    def _resolve(self, batch: Sequence[_Call[Any]]) -> None:
        for call in batch:
            self._room.give_back(call.drafts, call.size)
            call.resolve()
