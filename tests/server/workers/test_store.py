"""The log of the store process: what it commits it publishes, in order, to whom it concerns."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from server.bus.base import Appended
from server.workers import store
from server.workers.store import AnnouncingLog
from storage.base import Conversation, Shop, StoreBusy, Visitor
from storage.commit import Bounds
from storage.memory import MemoryDirectory, MemoryLog
from tests.conformance.log_suite import draft


class Place:
    """A shop with a visitor and conversations, and what was published."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.directory = MemoryDirectory()
        self.messages = MemoryLog(bounds)
        self.said: list[tuple[str, Appended]] = []
        self.log = AnnouncingLog(
            self.messages, self.directory, lambda topic, event: self.said.append((topic, event))
        )
        self.visitor = uuid4()

    async def conversation(self) -> UUID:
        await self.directory.put_shop(Shop("shop", "Shop", ()))
        await self.directory.put_visitor(Visitor(self.visitor, "shop"))
        id = uuid4()
        await self.directory.create_conversation(Conversation(id, "shop", self.visitor))
        return id

    def seqs(self, conversation: UUID) -> list[int]:
        return [e.entry.seq for _, e in self.said if e.entry.conversation == conversation]


async def test_what_is_committed_is_published_once_and_in_order() -> None:
    place = Place()
    one, other = await place.conversation(), await place.conversation()
    await asyncio.gather(*(place.log.append([draft(c)]) for _ in range(100) for c in (one, other)))
    assert place.seqs(one) == place.seqs(other) == list(range(1, 101))
    assert {(topic, e.visitor) for topic, e in place.said} == {("shop", place.visitor)}
    await place.log.close()


async def test_a_resend_a_conflict_and_a_refusal_are_not_published() -> None:
    place = Place(Bounds(waiting_drafts=2))
    id = await place.conversation()
    sent = draft(id)
    await place.log.append([sent])
    await place.log.append([sent, draft(id, b"other", client_id=sent.client_id)])
    many = [place.log.append([draft(id)]) for _ in range(5)]
    results = await asyncio.gather(*many, return_exceptions=True)
    assert sum(isinstance(result, StoreBusy) for result in results) == 3
    assert place.seqs(id) == [1, 2, 3]
    await place.log.close()


async def test_a_conversation_nobody_knows_is_stored_and_told_to_nobody() -> None:
    place = Place()
    id = uuid4()
    await place.log.append([draft(id)])
    assert len(await place.log.read(id)) == 1
    assert place.said == []
    await place.log.close()


async def test_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KNOWN", 2)
    place = Place()
    chats = [await place.conversation() for _ in range(4)]
    for id in chats * 2:
        await place.log.append([draft(id)])
    assert len(place.log._known) == 2
    assert [place.seqs(id) for id in chats] == [[1, 2]] * 4
    await place.log.close()
