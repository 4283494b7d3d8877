"""What every Directory does. Subclass DirectorySuite and give it a `directory` fixture.

`directory` is a fresh, empty one; the fixture closes it.
"""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from storage.base import (
    Agent,
    Conversation,
    Directory,
    Missing,
    NotUnique,
    Shop,
    StoreUnavailable,
    Visitor,
)

SHOP = Shop("zebra", "Zebra & Söhne", ("https://zebra.example", "https://www.zebra.example"))


def agent(**changes: object) -> Agent:
    made = Agent(uuid4(), SHOP.id, f"{uuid4().hex}@zebra.example", "Ada", "$argon2id$…")
    return replace(made, **changes)


def visitor(**changes: object) -> Visitor:
    return replace(Visitor(uuid4(), SHOP.id, created_at=5, seen_at=6), **changes)


async def with_visitor(directory: Directory) -> Visitor:
    await directory.put_shop(SHOP)
    shopper = visitor()
    await directory.put_visitor(shopper)
    return shopper


class DirectorySuite:
    # shops

    async def test_a_shop_is_kept_whole(self, directory: Directory):
        shop = replace(SHOP, identity_key="c2VjcmV0", settings='{"a": "ä"}', created_at=2**63 - 1)
        await directory.put_shop(shop)
        assert await directory.get_shop("zebra") == shop
        assert await directory.get_shop("Zebra") is None

    async def test_putting_again_replaces(self, directory: Directory):
        await directory.put_shop(SHOP)
        shopper = visitor()
        await directory.put_visitor(shopper)
        renamed = replace(SHOP, name="Zebra", origins=())
        await directory.put_shop(renamed)
        assert await directory.list_shops() == [renamed]
        assert await directory.get_visitor(shopper.id) == shopper

    async def test_shops_are_listed_by_id(self, directory: Directory):
        for id in ("b", "c", "a"):
            await directory.put_shop(replace(SHOP, id=id))
        assert [shop.id for shop in await directory.list_shops()] == ["a", "b", "c"]

    @pytest.mark.parametrize("number", [-1, 2**63])
    async def test_a_number_that_no_store_keeps(self, directory: Directory, number: int):
        with pytest.raises(ValueError):
            await directory.put_shop(replace(SHOP, created_at=number))
        assert await directory.list_shops() == []

    # agents

    async def test_an_agent_is_kept_whole(self, directory: Directory):
        await directory.put_shop(SHOP)
        ada = agent(role="admin", active=False, created_at=9, settings='{"sound": false}')
        await directory.put_agent(ada)
        stored = await directory.get_agent(ada.id)
        assert stored == ada
        assert stored.active is False
        assert await directory.get_agent(uuid4()) is None

    async def test_an_agent_is_found_without_case(self, directory: Directory):
        await directory.put_shop(SHOP)
        ada = agent(email="Ada.Öz@Zebra.example")
        await directory.put_agent(ada)
        assert await directory.find_agent("ADA.ÖZ@zebra.EXAMPLE") == ada
        assert await directory.find_agent("ada@zebra.example") is None

    async def test_an_address_is_unique_over_all_shops(self, directory: Directory):
        await directory.put_shop(SHOP)
        await directory.put_shop(replace(SHOP, id="other"))
        ada, bob = agent(email="ada@zebra.example"), agent(email="bob@zebra.example")
        await directory.put_agent(ada)
        await directory.put_agent(bob)
        with pytest.raises(NotUnique):
            await directory.put_agent(agent(email="ADA@zebra.example", shop="other"))
        with pytest.raises(NotUnique):
            await directory.put_agent(replace(bob, email="Ada@zebra.example"))
        assert await directory.get_agent(bob.id) == bob
        await directory.put_agent(replace(ada, name="Ada L."))

    async def test_agents_are_listed_by_name(self, directory: Directory):
        await directory.put_shop(SHOP)
        await directory.put_shop(replace(SHOP, id="other"))
        for name, shop in (("Cleo", "zebra"), ("Ada", "zebra"), ("Bob", "other")):
            await directory.put_agent(agent(name=name, shop=shop))
        assert [found.name for found in await directory.list_agents("zebra")] == ["Ada", "Cleo"]
        assert await directory.list_agents("nowhere") == []

    async def test_an_agent_needs_a_shop(self, directory: Directory):
        ada = agent()
        with pytest.raises(Missing):
            await directory.put_agent(ada)
        assert await directory.get_agent(ada.id) is None

    # visitors

    async def test_a_visitor_is_kept_whole(self, directory: Directory):
        await directory.put_shop(SHOP)
        plain = visitor()
        full = visitor(external_id="7", name="Zoë", email="z@x", language="de", profile="[1]")
        await directory.put_visitor(plain)
        await directory.put_visitor(full)
        assert await directory.get_visitor(plain.id) == plain
        assert await directory.get_visitors([full.id, uuid4(), plain.id]) == {
            plain.id: plain,
            full.id: full,
        }
        assert await directory.get_visitors([]) == {}

    async def test_an_external_id_is_unique_within_a_shop(self, directory: Directory):
        await directory.put_shop(SHOP)
        await directory.put_shop(replace(SHOP, id="other"))
        first, elsewhere = visitor(external_id="7"), visitor(external_id="7", shop="other")
        await directory.put_visitor(first)
        await directory.put_visitor(elsewhere)
        with pytest.raises(NotUnique):
            await directory.put_visitor(visitor(external_id="7"))
        assert await directory.find_visitor("zebra", "7") == first
        assert await directory.find_visitor("other", "7") == elsewhere
        assert await directory.find_visitor("zebra", "8") is None

    async def test_many_visitors_have_no_external_id(self, directory: Directory):
        await directory.put_shop(SHOP)
        await directory.put_visitor(visitor())
        await directory.put_visitor(visitor())

    async def test_a_visitor_needs_a_shop(self, directory: Directory):
        with pytest.raises(Missing):
            await directory.put_visitor(visitor())

    # conversations

    async def test_a_conversation_is_created_once(self, directory: Directory):
        shopper, id = await with_visitor(directory), uuid4()
        wanted = [
            Conversation(id, SHOP.id, shopper.id, created_at=n, updated_at=n) for n in range(20)
        ]
        told = await asyncio.gather(*map(directory.create_conversation, wanted))
        stored = await directory.get_conversation(id)
        assert stored in wanted
        assert [created for _, created in told].count(True) == 1
        assert {record for record, _ in told} == {stored}

    async def test_a_conversation_needs_its_shop_and_visitor(self, directory: Directory):
        shopper = await with_visitor(directory)
        for lost in (
            Conversation(uuid4(), "nowhere", shopper.id),
            Conversation(uuid4(), SHOP.id, uuid4()),
        ):
            with pytest.raises(Missing):
                await directory.create_conversation(lost)
            assert await directory.get_conversation(lost.id) is None

    async def test_a_refusal_fails_nobody_else(self, directory: Directory):
        shopper = await with_visitor(directory)
        good = [Conversation(uuid4(), SHOP.id, shopper.id) for _ in range(4)]
        bad = Conversation(uuid4(), SHOP.id, uuid4())
        told = await asyncio.gather(
            *map(directory.create_conversation, [*good[:2], bad, *good[2:]]),
            return_exceptions=True,
        )
        assert isinstance(told.pop(2), Missing)
        assert told == [(conversation, True) for conversation in good]

    async def test_a_fold_replaces_what_the_log_decides(self, directory: Directory):
        shopper = await with_visitor(directory)
        made = Conversation(uuid4(), SHOP.id, shopper.id, created_at=1, updated_at=1)
        await directory.create_conversation(made)
        folded = replace(
            made, status="closed", assignee=uuid4(), seq=5, summary='{"n": 1}', updated_at=9
        )
        # What is not the log's to decide stays as it was.
        await directory.fold_conversation(replace(folded, visitor=uuid4(), created_at=77))
        assert await directory.get_conversation(made.id) == folded

    async def test_a_fold_never_goes_back(self, directory: Directory):
        shopper = await with_visitor(directory)
        made = Conversation(uuid4(), SHOP.id, shopper.id)
        await directory.create_conversation(made)
        newer = replace(made, seq=5, status="closed", updated_at=5)
        await directory.fold_conversation(newer)
        await directory.fold_conversation(replace(made, seq=4, updated_at=9))
        assert await directory.get_conversation(made.id) == newer
        again = replace(newer, status="open")
        await directory.fold_conversation(again)
        assert await directory.get_conversation(made.id) == again

    async def test_a_fold_of_nothing_changes_nothing(self, directory: Directory):
        lost = Conversation(uuid4(), SHOP.id, uuid4(), seq=5)
        await directory.fold_conversation(lost)
        assert await directory.get_conversation(lost.id) is None

    async def test_conversations_are_listed_newest_first(self, directory: Directory):
        shopper = await with_visitor(directory)
        times = [5, 3, 9, 5, 5]
        made = [
            Conversation(UUID(int=n + 1), SHOP.id, shopper.id, updated_at=at)
            for n, at in enumerate(times)
        ]
        for conversation in made:
            await directory.create_conversation(conversation)
        newest = [made[2], made[4], made[3], made[0], made[1]]
        assert await directory.list_conversations(SHOP.id) == newest
        assert await directory.list_conversations("nowhere") == []

        pages: list[Conversation] = []
        before = None
        while page := await directory.list_conversations(SHOP.id, before=before, limit=2):
            pages += page
            before = (page[-1].updated_at, page[-1].id)
        assert pages == newest

    async def test_conversations_are_filtered(self, directory: Directory):
        shopper = await with_visitor(directory)
        other = visitor()
        await directory.put_visitor(other)
        ada = uuid4()
        plain = Conversation(uuid4(), SHOP.id, shopper.id, updated_at=3)
        mine = Conversation(uuid4(), SHOP.id, shopper.id, assignee=ada, updated_at=2)
        done = Conversation(uuid4(), SHOP.id, other.id, status="closed", assignee=ada, updated_at=1)
        for conversation in (plain, mine, done):
            await directory.create_conversation(conversation)

        listed = directory.list_conversations
        assert await listed(SHOP.id, status="open") == [plain, mine]
        assert await listed(SHOP.id, status="closed") == [done]
        assert await listed(SHOP.id, assignee=ada) == [mine, done]
        assert await listed(SHOP.id, assignee=ada, status="open") == [mine]
        assert await listed(SHOP.id, visitor=other.id) == [done]
        assert await listed(SHOP.id, visitor=shopper.id, before=(3, plain.id)) == [mine]

    @pytest.mark.parametrize("limit", [0, -1, 1_001])
    async def test_lists_are_bounded(self, directory: Directory, limit: int):
        with pytest.raises(ValueError):
            await directory.list_conversations(SHOP.id, limit=limit)

    # close

    async def test_a_closed_directory_is_unavailable(self, directory: Directory):
        await directory.close()
        await directory.close()
        with pytest.raises(StoreUnavailable):
            await directory.get_shop("zebra")
        with pytest.raises(StoreUnavailable):
            await directory.put_shop(SHOP)
        with pytest.raises(StoreUnavailable):
            await directory.list_conversations("zebra")
