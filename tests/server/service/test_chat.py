"""Decide, append, commit, publish: what happens when the store says no, and when people leave."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from server.bus.base import Appended as Published
from server.bus.base import Event
from server.bus.local import LocalBus
from server.config import Settings
from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service import chat as chat_module
from server.service import conversations as conversations_module
from server.service.chat import Chat
from server.service.conversations import Conversations
from storage.base import (
    Appended,
    Conflict,
    Draft,
    MessageLog,
    Shop,
    StorageError,
    StoreBusy,
    StoreFull,
    StoreUnavailable,
    Visitor,
)
from storage.open import Storage, open_storage
from transport.uuid7 import uuid7
from transport.wire.codec import pack

VISITOR = Caller(Role.VISITOR, uuid7(), "shop")
AGENT = Caller(Role.AGENT, uuid7(), "shop")


class Gate:
    """A log that fails, or waits, when it is told to; else the real one."""

    def __init__(self, log: MessageLog) -> None:
        self._log = log
        self.fault: StorageError | Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        if self.fault is not None:
            raise self.fault
        await self.open.wait()
        return await self._log.append(drafts)


class Room:
    def __init__(self, chat: Chat, gate: Gate, storage: Storage, known: Conversations) -> None:
        self.chat, self.gate, self.storage, self.conversations = chat, gate, storage, known
        self.published: list[Event] = []

    async def say(self, conversation: Any, text: str = "hello", caller: Caller = VISITOR) -> Any:
        return await self.chat.send(caller, uuid7(), conversation, "message", pack({"text": text}))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Room]:
    storage = open_storage(settings.database_url)
    await storage.directory.put_shop(Shop("shop", "A Shop", ()))
    await storage.directory.put_visitor(Visitor(VISITOR.id, "shop"))
    gate, bus = Gate(storage.log), LocalBus()
    known = Conversations(gate, storage.directory)
    times = iter(range(1_000, 1_000_000))
    async with Chat(
        gate, storage.directory, known, bus.publish, now=lambda: next(times), observe=lambda _: None
    ) as chat:
        room = Room(chat, gate, storage, known)
        await bus.subscribe("shop", room.published.append)
        yield room
    await storage.close()


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is so, two seconds at most."""
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with opened(settings) as room:
        yield room


@pytest.mark.parametrize(
    ("fault", "code", "retry_after"),
    [
        (StoreBusy(0.25), Code.BUSY, 250),
        (StoreFull("disk full"), Code.STORAGE_FULL, 10_000),
        (StoreUnavailable("gone"), Code.UNAVAILABLE, 2_000),
        (StorageError("else"), Code.UNAVAILABLE, 2_000),
        (RuntimeError("a bug"), Code.UNAVAILABLE, 2_000),
    ],
)
async def test_a_store_that_says_no(
    room: Room, fault: Exception, code: Code, retry_after: int
) -> None:
    chat = uuid7()
    await room.say(chat)
    room.gate.fault = fault
    with pytest.raises(Refusal) as caught:
        await room.say(chat)
    assert (caught.value.code, caught.value.retry_after) == (code, retry_after)
    assert len(room.published) == 1
    room.gate.fault = None
    assert (await room.say(chat)).seq == 2


async def test_a_store_that_is_closed(room: Room) -> None:
    await room.storage.close()
    with pytest.raises(Refusal) as caught:
        await room.say(uuid7())
    assert caught.value.code is Code.UNAVAILABLE


async def test_what_was_begun_is_published_though_its_sender_left(room: Room) -> None:
    chat = uuid7()
    await room.say(chat)
    room.gate.open.clear()
    sending = asyncio.create_task(room.say(chat, "going through a tunnel"))
    await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    room.gate.open.set()
    await eventually(lambda: len(room.published) == 2)
    assert len(await room.storage.log.read(chat)) == 2


async def test_entries_are_published_in_the_order_of_their_seq(room: Room) -> None:
    chat = uuid7()
    await room.say(chat)
    await asyncio.gather(*(room.say(chat, f"{n}") for n in range(100)))
    seqs = [event.entry.seq for event in room.published if isinstance(event, Published)]
    assert seqs == list(range(1, 102))


async def test_a_resend_is_not_published_again(room: Room) -> None:
    chat, id = uuid7(), uuid7()
    first = await room.chat.send(VISITOR, id, chat, "message", pack({"text": "once"}))
    assert await room.chat.send(VISITOR, id, chat, "message", pack({"text": "once "})) == first
    assert len(room.published) == 1


async def test_many_first_messages_make_one_conversation(room: Room) -> None:
    chat = uuid7()
    entries = await asyncio.gather(*(room.say(chat, f"{n}") for n in range(20)))
    assert sorted(entry.seq for entry in entries) == list(range(1, 21))
    record = await room.storage.directory.get_conversation(chat)
    assert record is not None
    assert record.visitor == VISITOR.id


async def test_a_strangers_id_cannot_be_taken(room: Room) -> None:
    chat = uuid7()
    await room.say(chat)
    for stranger in (
        Caller(Role.VISITOR, uuid7(), "shop"),
        Caller(Role.VISITOR, VISITOR.id, "other"),
        Caller(Role.AGENT, uuid7(), "other"),
    ):
        with pytest.raises(Refusal) as caught:
            await room.say(chat, caller=stranger)
        assert caught.value.code is Code.FORBIDDEN


async def test_appends_under_way_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = uuid7()
    await room.say(chat)
    monkeypatch.setattr(chat_module, "MAX_COMMITS", 1)
    room.gate.open.clear()
    first = asyncio.create_task(room.say(chat))
    await asyncio.sleep(0.01)
    with pytest.raises(Refusal) as caught:
        await room.say(chat)
    assert caught.value.code is Code.BUSY
    room.gate.open.set()
    assert (await first).seq == 2


async def test_folds_that_wait_to_be_written_are_bounded(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations_module, "MAX_DIRTY", 2)
    await room.say(uuid7())
    await room.say(uuid7())
    with pytest.raises(Refusal) as caught:
        await room.say(uuid7())
    assert caught.value.code is Code.BUSY
    await room.conversations.flush()
    await room.say(uuid7())


async def test_folds_are_written_behind(room: Room) -> None:
    chat = uuid7()
    await room.say(chat, "one")
    writing = asyncio.create_task(room.conversations.run())
    await eventually(lambda: not room.conversations._dirty)
    record = await room.storage.directory.get_conversation(chat)
    assert record is not None
    writing.cancel()
    assert msgspec.json.decode(record.summary)["message"]["text"] == "one"


async def test_after_a_kill_the_lists_are_mended(settings: Settings) -> None:
    chats = [uuid7() for _ in range(3)]
    async with opened(settings) as room:
        for chat in chats:
            await room.say(chat, "before the kill")
        await room.chat.send(AGENT, uuid7(), chats[0], "status", pack({"status": "closed"}))
        # Nothing is flushed: what is on disk is the log, and records with empty folds.
    async with opened(settings) as room:
        listing = room.storage.directory.list_conversations
        assert {record.seq for record in await listing("shop")} == {0}
        assert await room.conversations.mend() == 3
        assert await room.conversations.mend() == 0
        closed = await listing("shop", status="closed")
        assert [(record.id, record.seq) for record in closed] == [(chats[0], 2)]


async def test_a_fold_that_missed_entries_catches_up(room: Room) -> None:
    """As when another worker wrote: the log is ahead of what this one knows."""
    chat = uuid7()
    await room.say(chat, "one")
    await room.storage.log.append(
        [Draft(chat, AGENT.who, uuid7(), "message", pack({"text": "two"}), 5)]
    )
    await room.say(chat, "three")
    record = await room.storage.directory.get_conversation(chat)
    assert record is not None
    [known] = await room.conversations.catch_up([record])
    assert known.fold.seq == 3
    assert known.fold.unread(VISITOR.who) == 1
    await room.conversations.flush()
    assert (await room.storage.directory.get_conversation(chat)).seq == 3  # type: ignore[union-attr]
