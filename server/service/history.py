"""Reading logs: a page of history, and what a client missed.

What holds always: entries come as their reader may see them, ascending, without gaps; a page fits
into one frame; what a resume replays fits into REPLAY_BYTES, because a session that is handed more
at once would be closed as a slow reader before it had the chance to read.
May import: domain, storage; positions of the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from server.domain.people import Caller
from server.domain.refusal import Refusal
from server.service.chat import Chat
from server.service.guard import guarded
from server.service.view import fit, packed, seen_by
from storage.base import Entry, Head, MessageLog
from transport.wire.frames import Position, Resumed

MAX_PAGE = 100
"""Entries in one answer to `history`."""
MAX_REPLAY = 500
"""Entries replayed per conversation on resume. Over it: not recovered."""
REPLAY_BYTES = 524_288
"""Bytes replayed per resume, over all conversations. What does not fit is not recovered."""


class Replay(Struct, frozen=True):
    """The answer to a client's positions, and the entries that it missed, as it may see them."""

    resumed: tuple[Resumed, ...]
    entries: tuple[Entry, ...]


class History:
    """Reads of the log, for people."""

    def __init__(self, messages: MessageLog, chat: Chat) -> None:
        self._log = messages
        self._chat = chat

    async def page(
        self, caller: Caller, conversation: UUID, before: int | None, after: int | None, limit: int
    ) -> dict[str, Any]:
        """The value of the call `history`. Raises Refusal."""
        limit = max(1, min(limit, MAX_PAGE))
        with guarded():
            await self._chat.owned(caller, conversation)
            heads = await self._log.heads([conversation])
            if after is None:
                found = await self._log.read_before(conversation, before=before, limit=limit + 1)
                found.reverse()
            else:
                found = await self._log.read(conversation, after=after, limit=limit + 1)
        if after is not None and before is not None:
            found = [entry for entry in found if entry.seq < before]
        arrays = fit(packed(seen_by(caller.role, entry)) for entry in found[:limit])
        head = heads.get(conversation, Head(0, 0))
        return {
            "entries": arrays if after is not None else arrays[::-1],
            "epoch": head.epoch,
            "head": head.seq,
            "more": len(arrays) < len(found),
        }

    async def replay(self, caller: Caller, positions: Sequence[Position]) -> Replay:
        """What the caller missed since these positions. Raises Refusal when the store fails."""
        resumed: list[Resumed] = []
        missed: list[Entry] = []
        budget = REPLAY_BYTES
        with guarded():
            heads = await self._log.heads([position.conversation for position in positions])
            for position in positions:
                head = heads.get(position.conversation, Head(0, 0))
                found = await self._missed(caller, position, head)
                size = 0 if found is None else sum(map(_size, found))
                if found is None or size > budget:
                    resumed.append(await self._lost(caller, position, head))
                    continue
                budget -= size
                missed += [seen_by(caller.role, entry) for entry in found]
                resumed.append(Resumed(position.conversation, head.epoch, head.seq, True))
        return Replay(tuple(resumed), tuple(missed))

    async def _missed(self, caller: Caller, position: Position, head: Head) -> list[Entry] | None:
        """The entries after the position, or None when the client cannot go on from it."""
        fresh = (position.epoch, position.seq) == (0, 0)
        if not fresh and position.epoch != head.epoch:
            return None
        if not 0 <= head.seq - position.seq <= MAX_REPLAY:
            return None
        if head.seq and not await self._may_see(caller, position.conversation):
            return None
        if head.seq == position.seq:
            return []
        found = await self._log.read(
            position.conversation, after=position.seq, limit=head.seq - position.seq
        )
        return found if found and found[-1].seq == head.seq else None

    async def _lost(self, caller: Caller, position: Position, head: Head) -> Resumed:
        """Not recovered. Of what is not theirs, people are not told how long it is."""
        if not await self._may_see(caller, position.conversation):
            head = Head(0, 0)
        return Resumed(position.conversation, head.epoch, head.seq, False)

    async def _may_see(self, caller: Caller, conversation: UUID) -> bool:
        try:
            await self._chat.owned(caller, conversation)
        except Refusal:
            return False
        return True


def _size(entry: Entry) -> int:
    """About the bytes of the entry as a frame."""
    return len(entry.body) + 160
