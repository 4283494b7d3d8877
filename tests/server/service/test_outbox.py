"""What is committed is published at least once, whoever dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from server.bus.base import Appended, Done
from server.service import outbox as outbox_module
from server.service.outbox import Announcer
from storage.base import Appended as Stored
from storage.base import Conversation, Draft, Entry, Shop, Visitor
from storage.open import Storage, open_storage


class Channel:
    """A bus that is sometimes away."""

    def __init__(self) -> None:
        self.out: list[tuple[str, UUID, Entry]] = []
        self.waiting: list[Callable[[], None]] = []
        self.away = False

    def publish(self, shop: str, event: Appended, done: Done) -> None:
        def leave() -> None:
            self.out.append((shop, event.visitor, event.entry))
            done()

        if self.away:
            self.waiting.append(leave)
        else:
            leave()

    def seqs(self) -> list[int]:
        return [entry.seq for _, _, entry in self.out]


class Index:
    """A hot index that may be behind."""

    def __init__(self) -> None:
        self.hides: set[UUID] = set()
        self.reachable = True
        self.ensured: list[int] = []

    def behind(self, conversation: UUID) -> bool:
        return conversation in self.hides

    async def ensure(self, entries: Sequence[Entry]) -> bool:
        if self.reachable:
            self.hides.difference_update(entry.conversation for entry in entries)
            self.ensured += [entry.seq for entry in entries]
        return self.reachable


SHOP, VISITOR, CHAT = "zebra", uuid4(), uuid4()


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Storage]:
    monkeypatch.setattr(outbox_module, "PUBLISH_LATE", 0.0)
    storage = open_storage("memory:")
    await storage.directory.put_shop(Shop(SHOP, "Zebra", ()))
    await storage.directory.put_visitor(Visitor(VISITOR, SHOP))
    await storage.directory.create_conversation(Conversation(CHAT, SHOP, VISITOR))
    yield storage
    await storage.close()


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def announcer(store: Storage, channel: Channel, index: Index) -> Announcer:
    assert store.outbox is not None
    return Announcer(channel.publish, store.outbox, index)


async def append(store: Storage) -> Appended:
    [result] = await store.log.append([Draft(CHAT, "v:1", uuid4(), "message", b"x", 1)])
    assert isinstance(result, Stored)
    return Appended(VISITOR, result.entry)


async def left(store: Storage) -> int:
    assert store.outbox is not None
    return await store.outbox.waiting()


async def test_what_is_published_leaves_the_outbox(
    store: Storage, announcer: Announcer, channel: Channel
) -> None:
    for _ in range(3):
        announcer.publish(SHOP, await append(store))
    assert await left(store) == 3
    await announcer.settle()
    assert await left(store) == 0
    assert await announcer.sweep() == 0
    assert channel.seqs() == [1, 2, 3]


async def test_what_a_dead_worker_left_is_swept(
    store: Storage, announcer: Announcer, channel: Channel
) -> None:
    event = await append(store)
    assert await announcer.sweep() == 1
    assert channel.out == [(SHOP, VISITOR, event.entry)]
    await announcer.settle()
    assert (await left(store), announcer.swept) == (0, 1)


async def test_while_the_bus_is_away_the_outbox_keeps_it(
    store: Storage, announcer: Announcer, channel: Channel
) -> None:
    channel.away = True
    announcer.publish(SHOP, await append(store))
    await announcer.settle()
    assert await left(store) == 1
    for leave in channel.waiting:
        leave()
    await announcer.settle()
    assert await left(store) == 0


async def test_what_the_index_hides_waits_until_it_does_not(
    store: Storage, announcer: Announcer, channel: Channel, index: Index
) -> None:
    index.hides.add(CHAT)
    index.reachable = False
    announcer.publish(SHOP, await append(store))
    assert await announcer.sweep() == 1
    assert channel.out == []


async def test_what_is_swept_is_indexed_first(
    store: Storage, announcer: Announcer, channel: Channel, index: Index
) -> None:
    index.hides.add(CHAT)
    announcer.publish(SHOP, await append(store))
    assert channel.out == []
    await announcer.sweep()
    assert (index.ensured, channel.seqs()) == ([1], [1])


async def test_what_waits_to_be_taken_off_is_bounded(
    store: Storage, announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_SETTLING", 2)
    for _ in range(3):
        announcer.publish(SHOP, await append(store))
    await announcer.settle()
    assert await left(store) == 1, "the sweeper meets it again"
    await announcer.sweep()
    await announcer.settle()
    assert await left(store) == 0
