"""The conversations of a client as they are delivered: in order, complete, and acknowledged.

What holds always: an entry is put out once, after those before it; what is missing is fetched with
the call `history`; `received` goes out at most once per conversation and TICK.
Bounds: those of cursor and entries; hello carries MAX_RESUMED positions, the last ones used.
May import: client cursor, entries, errors; wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from transport.client.cursor import Cursor
from transport.client.entries import Entries
from transport.errors import TransportError
from transport.wire import codec
from transport.wire.frames import Accepted, Deliver, Position, Received, Welcome

MAX_RESUMED = 64
PAGE = 100
"""Entries asked for at once."""
TICK = 1.0
"""Seconds for which `received` is held back, so that it speaks for several entries."""


class History(Struct, frozen=True):
    """The value of the call `history`; an entry is the fields of `deliver`."""

    entries: list[tuple[UUID, int, int, str, UUID, str, Raw, int]]


class Follower:
    """`call` asks the server, `push` tells it, `chore` runs a task of the client's own."""

    def __init__(
        self,
        call: Callable[[str, Raw], Awaitable[Raw]],
        push: Callable[[Received], object],
        chore: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._call = call
        self._push = push
        self._chore = chore
        self._cursors: dict[UUID, Cursor] = {}
        """The last one used is the last one here."""
        self._filling: set[UUID] = set()
        self._ticks: dict[UUID, int] = {}
        self._listeners: list[Entries] = []
        self.fault: Exception | None = None
        """Why the last fetch failed."""

    def listen(self) -> Entries:
        """Everything from now on."""
        entries = Entries()
        self._listeners.append(entries)
        return entries

    def follow(self, position: Position) -> None:
        """Resume from here on the next session."""
        self._cursors[position.conversation] = Cursor(position)

    def positions(self) -> tuple[Position, ...]:
        """For `hello`."""
        return tuple([cursor.position for cursor in self._cursors.values()][-MAX_RESUMED:])

    def welcomed(self, frame: Welcome) -> None:
        """Fetch what the server will not deliver by itself."""
        for answer in frame.resumed:
            if (cursor := self._cursors.get(answer.conversation)) is not None:
                cursor.resumed(answer)
                self._fill(cursor)

    def deliver(self, entry: Deliver) -> None:
        """Take an entry from a session."""
        cursor = self._cursors.pop(entry.conversation, None)
        if cursor is None:
            # A conversation nobody asked for: what came before its first entry is not missed.
            cursor = Cursor(Position(entry.conversation, entry.epoch, entry.seq - 1))
        self._cursors[entry.conversation] = cursor
        self._emit(cursor, entry)
        self._fill(cursor)

    def accepted(self, frame: Accepted) -> None:
        """An entry of ours exists: if its `deliver` is lost, a later one shows the gap."""
        if frame.conversation not in self._cursors:
            self.follow(Position(frame.conversation, frame.epoch, frame.seq - 1))

    def end(self, error: Exception) -> None:
        """Nothing more will come."""
        for entries in self._listeners:
            entries.end(error)

    def _emit(self, cursor: Cursor, entry: Deliver) -> None:
        for ready in cursor.take(entry):
            for entries in self._listeners:
                entries.put(ready)
            if not self._ticks:
                self._chore(self._tick())
            self._ticks[ready.conversation] = ready.seq

    async def _tick(self) -> None:
        """Say what was received, once for all that came meanwhile."""
        await asyncio.sleep(TICK)
        for conversation, seq in self._ticks.items():
            self._push(Received(conversation, seq))
        self._ticks.clear()

    def _fill(self, cursor: Cursor) -> None:
        conversation = cursor.position.conversation
        if cursor.gap is not None and conversation not in self._filling:
            self._filling.add(conversation)
            self._chore(self._fetch(cursor, conversation))

    async def _fetch(self, cursor: Cursor, conversation: UUID) -> None:
        """Fetch what is missing, page by page. Where that fails, the next entry tries again."""
        try:
            while (after := cursor.gap) is not None:
                params = {"conversation": conversation, "after": after, "limit": PAGE}
                value = await self._call("history", codec.pack(params))
                for fields in msgspec.msgpack.decode(value, type=History).entries:
                    self._emit(cursor, Deliver(*fields))
                if cursor.gap == after:
                    return
        except (TransportError, msgspec.MsgspecError) as error:
            self.fault = error
        finally:
            self._filling.discard(conversation)
