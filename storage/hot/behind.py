"""Conversations of which the index may lack what was appended here, and how it catches up.

What holds always: a conversation is behind from before its append returned until Redis has
confirmed that its set is deleted; no append or read waits for that.
Bound: `behind` conversations are remembered; over it all are behind, until the whole index has been
deleted.
May import: base, gate, index, tuning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from storage.base import Entry
from storage.hot.gate import Gate
from storage.hot.index import Index
from storage.hot.tuning import Tuning


class Behind:
    """Who is behind. Tries Redis while the gate is shut, or anybody is."""

    def __init__(self, index: Index, gate: Gate, tuning: Tuning) -> None:
        self._index = index
        self._gate = gate
        self._tuning = tuning
        self._marks: dict[UUID, int] = {}
        """How often each has been left behind: a deletion counts for what was before it."""
        self._all = 0
        """The same for everybody at once; 0 when that is not so."""
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        gate.shutting = self._start

    def __contains__(self, conversation: UUID) -> bool:
        return self._all > 0 or conversation in self._marks

    def __len__(self) -> int:
        return len(self._marks)

    def left(self, entries: Sequence[Entry]) -> None:
        """These were appended, and Redis may not know."""
        self.add([entry.conversation for entry in entries])

    def add(self, conversations: Sequence[UUID]) -> None:
        """The sets of these may be wrong."""
        if self._all or len(self._marks) + len(conversations) > self._tuning.behind:
            self._all += 1
            self._marks.clear()
        else:
            for conversation in conversations:
                self._marks[conversation] = self._marks.get(conversation, 0) + 1
        self._start()

    def stop(self) -> None:
        """Catch up no more."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = self._gate.tasks.start(self._catch_up())

    async def _catch_up(self) -> None:
        """Until nobody is behind. The first try is at once: a connection may just have ended."""
        while self._gate.shut or self._marks or self._all:
            if not await self._step():
                await asyncio.sleep(self._tuning.pause)

    async def _step(self) -> bool:
        """Delete some. Whether Redis did it."""
        everybody = self._all
        some = dict(islice(self._marks.items(), self._tuning.together))
        work = self._index.wipe() if everybody else self._index.drop(some)
        if await self._gate.within(self._tuning.patience, work) is None:
            return False
        self._gate.open()
        if self._all == everybody:
            self._all = 0
        for conversation, mark in some.items():
            if self._marks.get(conversation) == mark:
                del self._marks[conversation]
        return True
