"""What every Outbox does. Subclass OutboxSuite and give it a `stores` fixture.

`stores` is a fresh, empty Stores; `wait` lets time pass for its outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from storage.base import (
    CLAIM,
    Conversation,
    Directory,
    Due,
    MessageLog,
    Outbox,
    Shop,
    StoreUnavailable,
    Visitor,
)
from tests.conformance.log_suite import draft, fresh


class Stores(NamedTuple):
    log: MessageLog
    directory: Directory
    outbox: Outbox
    wait: Callable[[float], Awaitable[None]]


async def talk(stores: Stores) -> Conversation:
    """A conversation that the directory knows."""
    await stores.directory.put_shop(Shop("mill", "The Mill", ()))
    shopper = Visitor(uuid4(), "mill")
    await stores.directory.put_visitor(shopper)
    made = Conversation(uuid4(), "mill", shopper.id)
    await stores.directory.create_conversation(made)
    return made


def places(found: list[Due]) -> list[tuple[UUID, int]]:
    return [(due.entry.conversation, due.entry.seq) for due in found]


class OutboxSuite:
    async def test_what_was_stored_is_due(self, stores: Stores):
        conversation = await talk(stores)
        [told] = await stores.log.append([draft(conversation.id, b"\x00\xff")])
        [due] = await stores.outbox.due(older_than=0)
        assert due.entry == fresh(told)
        assert (due.shop, due.visitor) == ("mill", conversation.visitor)
        assert await stores.outbox.waiting() == 1

    async def test_what_was_settled_is_not(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(conversation.id) for _ in range(3)])
        await stores.outbox.settle([(conversation.id, 1), (conversation.id, 3)])
        assert places(await stores.outbox.due(older_than=0)) == [(conversation.id, 2)]
        await stores.outbox.settle([(conversation.id, 2)])
        assert await stores.outbox.waiting() == 0

    async def test_to_settle_again_is_no_harm(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(conversation.id)])
        for _ in range(2):
            await stores.outbox.settle([(conversation.id, 1), (uuid4(), 7)])
        await stores.outbox.settle([])
        assert await stores.outbox.due(older_than=0) == []

    async def test_a_resend_or_a_conflict_is_not_due(self, stores: Stores):
        conversation = await talk(stores)
        sent = draft(conversation.id)
        await stores.log.append([sent, sent])
        await stores.outbox.settle([(conversation.id, 1)])
        await stores.log.append([sent, replace(sent, body=b"other")])
        assert await stores.outbox.waiting() == 0

    async def test_only_what_has_waited(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(conversation.id)])
        await stores.wait(0.3)
        await stores.log.append([draft(conversation.id)])
        assert places(await stores.outbox.due(older_than=0.25)) == [(conversation.id, 1)]
        assert await stores.outbox.due(older_than=60) == []

    async def test_a_claim_is_one_callers_for_a_while(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(conversation.id) for _ in range(40)])
        calls = [stores.outbox.due(older_than=0, limit=10) for _ in range(6)]
        told = await asyncio.gather(*calls)
        claimed = [place for found in told for place in places(found)]
        assert sorted(claimed) == [(conversation.id, seq) for seq in sorted(s for _, s in claimed)]
        assert len(set(claimed)) == len(claimed), "two were given the same entry"
        rest = places(await stores.outbox.due(older_than=0))
        assert {seq for _, seq in claimed + rest} == set(range(1, 41))
        assert len(claimed + rest) == 40

    async def test_what_its_claimer_left_is_due_again(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(conversation.id)])
        first = await stores.outbox.due(older_than=0)
        assert await stores.outbox.due(older_than=0) == []
        await stores.wait(CLAIM + 0.1)
        assert await stores.outbox.due(older_than=0) == first

    async def test_entries_come_in_order(self, stores: Stores):
        one, other = await talk(stores), await talk(stores)
        for _ in range(5):
            await stores.log.append([draft(one.id), draft(other.id), draft(one.id)])
        found = await stores.outbox.due(older_than=0, limit=8)
        found += await stores.outbox.due(older_than=0, limit=8)
        for id, last in ((one.id, 10), (other.id, 5)):
            seqs = [due.entry.seq for due in found if due.entry.conversation == id]
            assert seqs == list(range(1, last + 1))

    async def test_what_concerns_nobody_is_dropped(self, stores: Stores):
        conversation = await talk(stores)
        await stores.log.append([draft(uuid4()), draft(conversation.id), draft(uuid4())])
        assert places(await stores.outbox.due(older_than=0)) == [(conversation.id, 1)]
        assert await stores.outbox.waiting() == 1

    @pytest.mark.parametrize("limit", [0, 1_001])
    async def test_what_is_due_at_once_is_bounded(self, stores: Stores, limit: int):
        with pytest.raises(ValueError):
            await stores.outbox.due(older_than=0, limit=limit)

    async def test_a_closed_one_is_unavailable(self, stores: Stores):
        await stores.log.close()
        with pytest.raises(StoreUnavailable):
            await stores.outbox.due(older_than=0)
        with pytest.raises(StoreUnavailable):
            await stores.outbox.settle([(uuid4(), 1)])
