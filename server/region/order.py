"""Entries from another region, put in order: what may be applied now, and what to ask for.

A home's workers commit and relay side by side, a lost link sends again what was under way, and a
relay's backlog may have been dropped; so entries of a conversation may come late, early, twice or
not at all. The log they go into says where it ends (its head); this says what follows.

    head 4 · come 5, 6       → apply 5, 6
    head 4 · come 6, 7       → hold both; nothing came for PATIENCE: ask for what is after 4
    head 4 · come 3, 4       → nothing: known already
    an epoch older than ours → stale: the sender lost its home meanwhile, and is told
    an epoch newer than ours → hold and ask: the answer begins with how that epoch came about

What holds always: what is given out is gapless from the head, of one epoch, in order of `seq`; at
most MAX_HELD entries wait, in all conversations together: over it those of the conversation that
waited longest are dropped, and asked for again in time.
Pure: the time is an argument. May import: the records of storage.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from storage.base import Entry, Head

MAX_HELD = 10_000
"""Entries that wait for those before them."""
PATIENCE = 0.5
"""Seconds that a gap may stay before it is asked for; and between two questions."""


class Want(Struct, frozen=True):
    """This is where our log of the conversation ends; something after it is missing."""

    conversation: UUID
    head: Head


class _Waiting:
    """The early entries of one conversation."""

    __slots__ = ("ask_at", "entries", "head")

    def __init__(self, head: Head, ask_at: float) -> None:
        self.head = head
        self.entries: dict[tuple[int, int], Entry] = {}
        self.ask_at = ask_at


class Ordering:
    """What waits for what."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[UUID, _Waiting] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def take(self, head: Head, entries: Sequence[Entry], now: float) -> list[Entry]:
        """Entries of one conversation have come, whose log ends at `head`: those to apply.

        An epoch older than the head's is for the caller to refuse before; here it is dropped.
        """
        [conversation] = {entry.conversation for entry in entries}
        waiting = self._waiting.get(conversation) or _Waiting(head, now + PATIENCE)
        self._forget(conversation)
        waiting.head = head
        for entry in entries:
            waiting.entries[entry.epoch, entry.seq] = entry
        ready = self._ready(waiting)
        if waiting.entries:
            if ready:
                waiting.ask_at = now + PATIENCE
            self._keep(conversation, waiting)
        return ready

    def wants(self, now: float) -> list[Want]:
        """What has been missing for too long. Each is named again every PATIENCE seconds."""
        wants = []
        for conversation, waiting in self._waiting.items():
            if waiting.ask_at <= now:
                waiting.ask_at = now + PATIENCE
                wants.append(Want(conversation, waiting.head))
        return wants

    def next_timer(self) -> float | None:
        """When `wants` will have something to say."""
        return min((waiting.ask_at for waiting in self._waiting.values()), default=None)

    def _ready(self, waiting: _Waiting) -> list[Entry]:
        epoch, seq = waiting.head.epoch, waiting.head.seq
        known = [place for place in waiting.entries if place <= (epoch, seq)]
        for place in known:
            del waiting.entries[place]
        if not seq and waiting.entries:
            epoch = max(epoch, min(place[0] for place in waiting.entries))
        ready = []
        while (entry := waiting.entries.pop((epoch, seq + 1), None)) is not None:
            ready.append(entry)
            seq += 1
        waiting.head = Head(epoch, seq)
        return ready

    def _keep(self, conversation: UUID, waiting: _Waiting) -> None:
        self._waiting[conversation] = waiting
        self._held += len(waiting.entries)
        while self._held > MAX_HELD:
            _, dropped = self._waiting.popitem(last=False)
            self._held -= len(dropped.entries)

    def _forget(self, conversation: UUID) -> None:
        if (waiting := self._waiting.pop(conversation, None)) is not None:
            self._held -= len(waiting.entries)
