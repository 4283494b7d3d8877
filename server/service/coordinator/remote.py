"""Locks and loads that another process of this host keeps, for workers without a Redis: LocalLocks
and LocalLoad in the store process, reached as the store is (storage/remote).

A call that broke off is made again. A lock that was taken and whose answer got lost is held by
nobody that knows of it, until its lease runs out.
May import: base, load; storage's remote.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from uuid import UUID

from server.service.coordinator.base import Lease, Locks, LockUnavailable
from server.service.coordinator.load import Given, Load, LoadUnavailable, Taken
from storage.base import StorageError
from storage.remote import Link, answering
from storage.remote.messages import table

TABLE = table(Locks, Load)
PATIENCE = 2.0
"""Seconds for which a call waits for the other process to come back."""


def serving(path: Path, locks: Locks, load: Load) -> AbstractAsyncContextManager[None]:
    """Answer for them at `path` until the block is left. Raises OSError."""
    return answering(path, (locks, load), TABLE)


def linked(path: Path) -> Link:
    """The way to them, for RemoteLocks and RemoteLoad. Connects when first asked."""
    return Link(path, patience=PATIENCE, table=TABLE)


@contextmanager
def _as(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise kind(str(error)) from error


class RemoteLocks:
    """See Locks."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def acquire(self, segment: int, *, seconds: float) -> Lease | None:
        """See Locks."""
        with _as(LockUnavailable):
            lease: Lease | None = await self._link.call("acquire", segment, seconds)
        return lease

    async def renew(self, lease: Lease, *, seconds: float) -> bool:
        """See Locks."""
        with _as(LockUnavailable):
            held: bool = await self._link.call("renew", lease, seconds)
        return held

    async def release(self, lease: Lease) -> bool:
        """See Locks."""
        with _as(LockUnavailable):
            held: bool = await self._link.call("release", lease)
        return held


class RemoteLoad:
    """See Load."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def keep(
        self, agent: UUID, conversation: UUID, transaction: UUID, *, capacity: int, token: int
    ) -> Given:
        """See Load."""
        with _as(LoadUnavailable):
            given: Given = await self._link.call(
                "keep", agent, conversation, transaction, capacity, token
            )
        return given

    async def drop(self, agent: UUID, conversation: UUID, transaction: UUID, *, token: int) -> None:
        """See Load."""
        with _as(LoadUnavailable):
            await self._link.call("drop", agent, conversation, transaction, token)

    async def hold(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        with _as(LoadUnavailable):
            await self._link.call("hold", agent, conversation, seq)

    async def leave(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        with _as(LoadUnavailable):
            await self._link.call("leave", agent, conversation, seq)

    async def taken(self, agent: UUID) -> Taken:
        """See Load."""
        with _as(LoadUnavailable):
            taken: Taken = await self._link.call("taken", agent)
        return taken

    async def prepare_restore(self, agent: UUID) -> str:
        """See Load."""
        with _as(LoadUnavailable):
            mark: str = await self._link.call("prepare_restore", agent)
        return mark

    async def restore(self, agent: UUID, mark: str, taken: Taken) -> bool:
        """See Load."""
        with _as(LoadUnavailable):
            complete: bool = await self._link.call("restore", agent, mark, taken)
        return complete
