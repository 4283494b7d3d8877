"""The index as it lies in Redis: what one round trip can do with it.

What holds always: each method is one script, so it happens at one moment of one server; it raises
RedisError, OSError or TimeoutError when it is not known to have happened.
May import: base, redis, scripts, packing, tuning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from msgspec import Struct
from redis.exceptions import NoScriptError

from storage.base import Entry
from storage.hot.packing import Packed, join, pack, unpack
from storage.hot.scripts import DROP, FILL, LOOK, PUT
from storage.hot.tuning import Tuning
from storage.redis import Redis

NEWEST = -1
"""The position before which the very last entries stand."""


class Look(Struct, frozen=True):
    """What somebody wants to see of a conversation: its `head`, or entries `after` or `before`."""

    conversation: UUID
    mode: bytes
    position: int = 0
    limit: int = 1
    begin: bool = False
    """Whether the asker would build the set if there is none."""


class Seen(Struct, frozen=True):
    """The index has it."""

    found: tuple[Packed, ...]


class Begun(Struct, frozen=True):
    """There was none; it is the asker's to fill now."""

    token: bytes


class Built(Struct, frozen=True):
    """A set to be filled: the last entries of a conversation, read after its marker was set."""

    conversation: UUID
    token: bytes
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)


class Index:
    """The sets under one prefix."""

    def __init__(self, redis: Redis, prefix: str, tuning: Tuning) -> None:
        self._redis = redis
        self._prefix = prefix
        self._tuning = tuning
        self._shas: dict[str, str] = {}
        self._kept = (tuning.keep, _ms(tuning.ttl))
        self._begun = (tuning.settle, _ms(tuning.building))

    async def put(self, groups: Sequence[Sequence[Entry]]) -> list[bool]:
        """Add entries to the sets that exist. True for each group."""
        given: list[bytes] = []
        for group in groups:
            for entry in group:
                given += (entry.conversation.bytes, *self._member(entry))
        await self._run(PUT, given, *self._kept)
        return [True] * len(groups)

    async def look(self, groups: Sequence[Sequence[Look]]) -> list[list[Seen | Begun | None]]:
        """What there is, group by group; None where the log must be asked."""
        given: list[bytes] = []
        for group in groups:
            for one in group:
                where = b"%d" % one.position, b"%d" % one.limit, b"%d" % one.begin
                given += (one.conversation.bytes, one.mode, *where)
        token = uuid4().bytes
        answers = await self._run(LOOK, given, *self._begun, token)
        told = iter([_answer(answer, token) for answer in answers])
        return [[next(told) for _ in group] for group in groups]

    async def fill(self, built: Sequence[Built]) -> list[bool]:
        """Give what was begun its entries; where the marker is gone nothing happens."""
        given: list[bytes] = []
        for one in built:
            given += (one.conversation.bytes, one.token, b"%d" % len(one.entries))
            for entry in one.entries:
                given += self._member(entry)
        await self._run(FILL, given, *self._kept)
        return [True] * len(built)

    async def drop(self, conversations: Iterable[UUID]) -> bool:
        """Delete sets. True."""
        await self._run(DROP, [conversation.bytes for conversation in conversations])
        return True

    async def wipe(self) -> bool:
        """Delete all that was there when this began, of every run. True."""
        cursor = 0
        while True:
            cursor, keys = await self._redis.scan(cursor, match=f"{self._prefix}*", count=1_000)
            if keys:
                await self._redis.unlink(*keys)
            if cursor == 0:
                return True

    def _member(self, entry: Entry) -> tuple[bytes, bytes]:
        return b"%d" % entry.seq, pack(entry, self._tuning.body)

    async def _run(self, script: str, given: list[bytes], *arguments: Any) -> Any:
        all = (self._prefix, join(given), *arguments)
        sha = self._shas.get(script)
        if sha is not None:
            try:
                return await self._redis.evalsha(sha, 0, *all)
            except NoScriptError:
                pass  # Restarted, failed over or flushed: it did not run.
        self._shas[script] = str(await self._redis.script_load(script))
        return await self._redis.evalsha(self._shas[script], 0, *all)


def _answer(answer: Any, token: bytes) -> Seen | Begun | None:
    if answer[0] == 1:
        return Seen(tuple(map(unpack, answer[1])))
    return Begun(token) if answer[0] == 2 else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
