"""What the services know of conversations: the record, and the fold kept up with the log.

A fold is written behind: it may be on disk FOLD_DELAY late, because the log can rebuild it. A fold
that is behind its log, after a kill or because another worker wrote, is caught up when it is used;
`mend` does it for all of them after a start, so that lists sort and filter rightly.

A fold that has come to give a conversation to an agent is told of to who asked for it (`taken`),
once it is written.

What holds always: `get` never invents a conversation; a fold only goes forward; at most MAX_KNOWN
conversations are held, and at most MAX_DIRTY that are not written (over it `has_room` is False and
the service refuses to send).
May import: domain, storage.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog
from msgspec.structs import replace

from server.domain import people
from server.domain.conversation import Fold, apply, dumps, loads
from storage.base import Conversation, Directory, Entry, MessageLog, StorageError

FOLD_DELAY = 0.25
"""Seconds over which changes of folds are gathered before they are written."""
RETRY_DELAY = 2.0
"""Seconds before folds that could not be written are tried again."""
MAX_KNOWN = 10_000
"""Conversations held in memory; the least recently used goes first."""
MAX_DIRTY = 5_000
"""Folds that wait to be written."""
TOGETHER = 256
"""Folds written at once."""
PAGE = 500
"""Entries or conversations read at a time when catching up."""

log = structlog.get_logger(__name__)


class Known:
    """One conversation as this worker knows it."""

    __slots__ = ("fold", "head", "record", "took")

    def __init__(self, record: Conversation) -> None:
        self.record = record
        self.fold = loads(record.summary)
        self.head = self.fold.seq
        """The newest entry heard of; the fold may be behind it."""
        self.took = False
        """Whether it has come to take a place, and nobody was told yet."""

    @property
    def holder(self) -> UUID | None:
        """The agent of whom it takes a place: who is assigned, while it is open."""
        state = self.fold
        person = None if state.assignee is None else people.parse(state.assignee)
        return person[1] if person is not None and state.status == "open" else None

    def take(self, entry: Entry) -> None:
        """Take an entry into the fold."""
        before, self.fold = self.fold, apply(self.fold, entry)
        changed = (before.status, before.assignee) != (self.fold.status, self.fold.assignee)
        self.took = self.took or changed

    def folded(self) -> Conversation:
        """The record with the fold as it is now."""
        state = self.fold
        person = None if state.assignee is None else people.parse(state.assignee)
        return replace(
            self.record,
            status=state.status,
            assignee=None if person is None else person[1],
            seq=state.seq,
            summary=dumps(state),
            updated_at=state.updated_at or self.record.created_at,
        )


class Conversations:
    """The cache in front of log and directory."""

    def __init__(self, messages: MessageLog, directory: Directory) -> None:
        self._log = messages
        self._directory = directory
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._dirty: dict[UUID, Known] = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self.taken: Callable[[Known, UUID], Awaitable[None]] | None = None
        """Is told when a conversation takes a place of an agent. Never raises."""

    @property
    def has_room(self) -> bool:
        """Whether another fold may become dirty."""
        return len(self._dirty) < MAX_DIRTY

    async def get(self, id: UUID) -> Known | None:
        """The conversation, its fold possibly behind; None when it does not exist."""
        if (known := self._cached(id)) is not None:
            return known
        record = await self._directory.get_conversation(id)
        return None if record is None else self._remember(record)

    async def create(self, record: Conversation) -> Known:
        """Create it unless it exists; whose it is, is for the caller to check."""
        stored, _ = await self._directory.create_conversation(record)
        return self._remember(stored)

    async def catch_up(self, records: Sequence[Conversation]) -> list[Known]:
        """The conversations with folds that are level with their logs."""
        all_known = [self._remember(record) for record in records]
        heads = await self._log.heads([known.record.id for known in all_known])
        for known in all_known:
            if (head := heads.get(known.record.id)) is not None:
                if head.epoch != known.fold.epoch:
                    known.head, known.fold = head.seq, Fold(epoch=head.epoch)
                known.head = max(known.head, head.seq)
            await self._level(known)
        return all_known

    def committed(self, known: Known, entry: Entry) -> None:
        """Take an entry into the fold. Does not wait, so that who publishes keeps its order."""
        known.head = max(known.head, entry.seq)
        if entry.seq == known.fold.seq + 1:
            known.take(entry)
        self._mark(known)

    async def flush(self) -> None:
        """Write every dirty fold. Raises StorageError; what was not written stays dirty."""
        async with self._writing:
            waiting = list(self._dirty.values())
            for start in range(0, len(waiting), TOGETHER):
                # Together, so that the store can commit them as one group.
                batch = map(self._write, waiting[start : start + TOGETHER])
                for result in await asyncio.gather(*batch, return_exceptions=True):
                    if isinstance(result, BaseException):
                        raise result

    async def save(self, known: Known) -> None:
        """Level one fold with its log and write it. Raises StorageError."""
        [known] = await self.catch_up([known.record])
        await self._write(known)

    async def run(self) -> None:
        """Write folds behind, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(FOLD_DELAY)
            try:
                await self.flush()
            except StorageError as error:
                log.warning("folds not written, trying again", reason=str(error))
                await asyncio.sleep(RETRY_DELAY)
            if self._dirty:
                self._changed.set()

    async def mend(self) -> int:
        """Catch up every fold that a kill left behind its log; returns how many were."""
        mended = 0
        for shop in await self._directory.list_shops():
            before: tuple[int, UUID] | None = None
            while page := await self._directory.list_conversations(
                shop.id, before=before, limit=PAGE
            ):
                before = (page[-1].updated_at, page[-1].id)
                mended += await self._mend(page)
        return mended

    async def _mend(self, page: list[Conversation]) -> int:
        heads = await self._log.heads([record.id for record in page])
        behind = [r for r in page if (head := heads.get(r.id)) is not None and head.seq > r.seq]
        for known in await self.catch_up(behind):
            self._mark(known)
        await self.flush()
        return len(behind)

    async def _write(self, known: Known) -> None:
        await self._level(known)
        written = known.fold.seq
        await self._directory.fold_conversation(known.folded())
        if known.fold.seq == written == known.head:
            self._dirty.pop(known.record.id, None)
        if known.took:
            known.took = False
            if self.taken is not None and (holder := known.holder) is not None:
                await self.taken(known, holder)

    async def _level(self, known: Known) -> None:
        while known.fold.seq < known.head:
            page = await self._log.read(known.record.id, after=known.fold.seq, limit=PAGE)
            if not page:
                known.head = known.fold.seq
                return
            for entry in page:
                known.take(entry)
            self._mark(known)

    def _mark(self, known: Known) -> None:
        self._dirty[known.record.id] = known
        self._changed.set()

    def _cached(self, id: UUID) -> Known | None:
        known = self._dirty.get(id) or self._known.get(id)
        if known is not None and id in self._known:
            self._known.move_to_end(id)
        return known

    def _remember(self, record: Conversation) -> Known:
        known = self._cached(record.id)
        if known is None:
            known = self._known[record.id] = Known(record)
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return known
