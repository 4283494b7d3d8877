"""A shop, its agents with their capacities, and processes that take conversations for them.

A Process is what one worker has: its services, its coordinator. Several of them share a store and
what keeps locks and loads, and any of them can be stopped at any step by a Fuse.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec

from server.bus.local import LocalBus
from server.domain.capacity import with_capacity
from server.domain.people import Caller, Role
from server.service.chat import Chat
from server.service.conversations import Conversations
from server.service.coordinator.assembly import assemble
from server.service.coordinator.base import Locks
from server.service.coordinator.load import Load
from server.service.coordinator.locks import Holding
from storage.base import Agent, Directory, Entry, Journal, MessageLog, Shop, Visitor
from transport.uuid7 import uuid7
from transport.wire.codec import pack

SHOP = "shop"
VISITOR = Caller(Role.VISITOR, UUID(int=1), SHOP)
ANN = Caller(Role.AGENT, UUID(int=2), SHOP)
BOB = Caller(Role.AGENT, UUID(int=3), SHOP)


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Crash(BaseException):
    """The process is no more."""


class Fuse:
    """Counts the steps of a process, and ends it at one of them: just before it, or just after."""

    def __init__(
        self,
        at: int | None = None,
        *,
        after: bool = False,
        end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.steps: list[str] = []
        self.blown = False
        self._at = at
        self._after = after
        self._end = end

    def around(self, part: Any, names: Iterable[str]) -> Any:
        """The part, with these of its methods as steps."""
        return _Fused(part, frozenset(names), self)

    async def step(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.blown:
            raise Crash
        number = len(self.steps)
        self.steps.append(name)
        if number == self._at and not self._after:
            await self.burn()
        result = await call()
        if number == self._at and self._after:
            await self.burn()
        return result

    async def burn(self) -> None:
        if self._end is not None:
            await self._end()
        else:
            self.blown = True
            raise Crash


class _Fused:
    def __init__(self, part: Any, names: frozenset[str], fuse: Fuse) -> None:
        self._part, self._names, self._fuse = part, names, fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name not in self._names:
            return method

        async def step(*args: Any, **named: Any) -> Any:
            label = f"{type(self._part).__name__}.{name}"
            return await self._fuse.step(label, lambda: method(*args, **named))

        return step


class Ground:
    """What processes share."""

    def __init__(
        self, log: MessageLog, directory: Directory, journal: Journal, locks: Locks, load: Load
    ) -> None:
        self.log = log
        self.directory = directory
        self.journal = journal
        self.locks = locks
        self.load = load

    async def populate(self) -> None:
        await self.directory.put_shop(Shop(SHOP, "A Shop", ()))
        await self.directory.put_visitor(Visitor(VISITOR.id, SHOP))
        for caller in (ANN, BOB):
            await self.employ(caller, None)

    async def employ(self, caller: Caller, capacity: int | None) -> None:
        name = f"{caller.id.int}"
        settings = with_capacity("{}", capacity)
        await self.directory.put_agent(
            Agent(caller.id, SHOP, f"{name}@shop.example", name, "hash", settings=settings)
        )

    async def entries(self, conversation: UUID) -> list[Entry]:
        return await self.log.read(conversation, limit=1_000)

    async def assignee(self, conversation: UUID) -> str | None:
        """By the log."""
        said = [e for e in await self.entries(conversation) if e.kind == "assignment"]
        return msgspec.msgpack.decode(said[-1].body)["agent"] if said else None

    async def having(self, caller: Caller, conversations: Iterable[UUID]) -> list[UUID]:
        """Which of these conversations are the agent's, by the log."""
        return [id for id in conversations if await self.assignee(id) == caller.who]


class Process:
    """One worker."""

    def __init__(
        self,
        ground: Ground,
        fuse: Fuse | None = None,
        *,
        lease: float = 10.0,
        patience: float = 2.0,
        now: Callable[[], int] | None = None,
        stale: float = 0.0,
    ) -> None:
        fuse = fuse or Fuse()
        self.fuse = fuse
        self.ground = ground
        times = itertools.count(1_000)
        now = now or (lambda: next(times))
        log = fuse.around(ground.log, ["append"])
        directory = fuse.around(ground.directory, ["fold_conversation"])
        journal = fuse.around(ground.journal, ["put", "find_record", "unfinished", "forget"])
        load_steps = ["keep", "drop", "hold", "leave", "prepare_restore", "restore", "taken"]
        load = fuse.around(ground.load, load_steps)
        locks = fuse.around(ground.locks, ["acquire", "release"])
        self.conversations = Conversations(log, directory)
        bus = LocalBus()
        self.chat = Chat(
            log, directory, self.conversations, bus.publish, now=now, observe=lambda _: None
        )
        self.coordinator = assemble(
            self.chat,
            self.conversations,
            directory,
            journal,
            Holding(locks, lease=lease, patience=patience),
            load,
            now=now,
            patience=patience,
            stale=stale,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.chat)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._stack.aclose()
        except BaseExceptionGroup as group:
            if group.subgroup(Crash) is None:
                raise

    async def write(self, conversation: UUID | None = None) -> UUID:
        """The visitor writes; in a new conversation, unless they say which."""
        conversation = conversation or uuid7()
        await self.chat.send(VISITOR, uuid7(), conversation, "message", pack({"text": "hello"}))
        return conversation

    async def assign(
        self, to: Caller | None, conversation: UUID, client_id: UUID | None = None, by: Caller = ANN
    ) -> Entry:
        body = pack({"agent": None if to is None else to.who})
        return await self.chat.send(by, client_id or uuid7(), conversation, "assignment", body)

    async def set_status(self, conversation: UUID, status: str, by: Caller = ANN) -> Entry:
        return await self.chat.send(by, uuid7(), conversation, "status", pack({"status": status}))


async def recovered(process: Process, patience: float = 15.0) -> None:
    """Returns when nothing is unfinished any more."""
    async with asyncio.timeout(patience):
        while True:
            await process.coordinator.recover()
            if not await process.ground.journal.unfinished(older_than=2**63 - 1):
                return
            await asyncio.sleep(0.01)
