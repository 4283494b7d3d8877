"""What every Search does. Subclass SearchSuite and give it a `stores` fixture.

`stores` is a fresh, empty Stores; the fixture closes what it made.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from storage.base import (
    Appended,
    Conflict,
    Conversation,
    Directory,
    Draft,
    Findable,
    Found,
    Hit,
    MessageLog,
    Search,
    Shop,
    Visitor,
)
from storage.limits import MAX_FINDABLE

NOW = 1_700_000_000_000
PARCEL = "Where is my parcel?"


class Stores(NamedTuple):
    log: MessageLog
    directory: Directory
    search: Search


def says(
    conversation: UUID, text: str, at: int = NOW, *, shop: str = "mill", **changes: object
) -> Draft:
    """A message that is found by its own text."""
    body = text.encode(errors="replace")
    draft = Draft(conversation, "v:1", uuid4(), "message", body, at, Findable(shop, text))
    return replace(draft, **changes)


def changes(message: Draft, seq: int, text: str) -> Draft:
    """An edit of the message at `seq`, or its deletion."""
    kind = "edit" if text else "deletion"
    assert message.findable is not None
    findable = Findable(message.findable.shop, text, seq)
    return replace(message, client_id=uuid4(), kind=kind, body=text.encode(), findable=findable)


def visitor(name: str | None = None, **changes: object) -> Visitor:
    return replace(Visitor(uuid4(), "mill", name=name, seen_at=NOW), **changes)


class SearchSuite:
    @pytest.fixture
    def conversation(self) -> UUID:
        return uuid4()

    async def found(self, stores: Stores, query: str, shop: str = "mill") -> list[str]:
        return [hit.text for hit in await stores.search.messages(shop, query, limit=100)]

    # messages

    async def test_a_hit_says_which_message_it_is(self, stores: Stores, conversation: UUID):
        await stores.log.append([says(conversation, "Hello", NOW - 1)])
        await stores.log.append([says(conversation, PARCEL, author="a:2", kind="note")])
        [hit] = await stores.search.messages("mill", "parcel")
        assert hit == Hit(conversation, 2, "a:2", "note", NOW, PARCEL, hit.place)

    async def test_nothing_is_found_where_nothing_is(self, stores: Stores):
        assert await stores.search.messages("mill", "parcel") == []
        assert await stores.search.visitors("mill", "parcel") == []

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("parcel", PARCEL),
            ("PARCEL is", PARCEL),
            ("where parc", PARCEL),
            ("cafe", "Un CAFÉ, s'il vous plaît"),
            ("lodz", "Łódź"),
            ("退货", "请问你们的退货政策是什么？"),
            ("退货政策", "请问你们的退货政策是什么？"),
            ("策", "退货政策"),
            ("手机壳 iph", "iPhone15手机壳"),
            ("注文", "ご注文の商品は"),
            ("주문", "주문을 취소하고 싶어요"),
            ("สินค้า", "อยากคืนสินค้าครับ"),
            ("أحمد", "السيد احمد"),
            ("достав", "Когда ДОСТАВКА?"),
            ("AB-12", "Order AB-1234 is late"),
            ("ana@exam", "write to ana@example.com"),
        ],
    )
    async def test_words_are_found(self, stores: Stores, conversation: UUID, query: str, text: str):
        await stores.log.append([says(conversation, text), says(conversation, "Nothing like it")])
        assert await self.found(stores, query) == [text]

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("arcel", PARCEL),
            ("parcel late", PARCEL),
            ("par where", PARCEL),
            ("政货", "退货政策"),
            ("退货政策", "退货 政策"),
            ("AB-1234", "1234 for ab"),
            ("สินค้า", "สินเชื่อ"),
        ],
    )
    async def test_other_words_are_not(
        self, stores: Stores, conversation: UUID, query: str, text: str
    ):
        await stores.log.append([says(conversation, text)])
        assert await self.found(stores, query) == []

    @pytest.mark.parametrize(
        "query",
        ["", " ", '"', "'", "%", "_", "*", "\\", "\0", "👍", "-", "()", "& | !", ":*", "<->"],
    )
    async def test_signs_find_nothing_and_break_nothing(
        self, stores: Stores, conversation: UUID, query: str
    ):
        await stores.log.append([says(conversation, "% _ * \" ' \\ & 👍 () and")])
        assert await self.found(stores, query) == []
        assert await stores.search.visitors("mill", query) == []

    @pytest.mark.parametrize(
        "query",
        [
            'parcel" OR "hello',
            "parcel* OR hello",
            "parcel NOT where",
            "parcel AND nothing",
            "NEAR(parcel hello)",
            "terms:parcel shop:other",
            "parcel'); DROP TABLE found; --",
            "parcel | hello",
            "!parcel hello",
            "parcel <-> hello",
            "p_rcel",
            "parcel\0hello",
        ],
    )
    async def test_no_query_is_a_language(self, stores: Stores, conversation: UUID, query: str):
        await stores.log.append([says(conversation, PARCEL), says(conversation, "Hello")])
        assert await self.found(stores, query) == []
        assert await self.found(stores, "parcel") == [PARCEL]

    @pytest.mark.parametrize("sign", ["x", "退", "é ", "a b ", '"', "\\'"])
    async def test_a_long_query_is_bounded(self, stores: Stores, conversation: UUID, sign: str):
        await stores.log.append([says(conversation, PARCEL)])
        assert await self.found(stores, sign * 10_000) == []
        assert await stores.search.visitors("mill", sign * 10_000) == []

    async def test_any_text_is_taken(self, stores: Stores, conversation: UUID):
        texts = ["", "👍", "a\0parcel", "x" * MAX_FINDABLE, "退" * MAX_FINDABLE, "a " * 8_000]
        await stores.log.append([says(conversation, text, NOW + n) for n, text in enumerate(texts)])
        [hit] = await stores.search.messages("mill", "parcel")
        assert hit.seq == 3
        assert len(await self.found(stores, "退退")) == 1
        with pytest.raises(ValueError):
            await stores.log.append([says(conversation, "x" * (MAX_FINDABLE + 1))])

    async def test_an_edit_changes_what_is_found(self, stores: Stores, conversation: UUID):
        message = says(conversation, PARCEL)
        await stores.log.append([message])
        [before] = await stores.search.messages("mill", "parcel")
        await stores.log.append([changes(message, 1, "Where is my letter?")])
        assert await self.found(stores, "parcel") == []
        [after] = await stores.search.messages("mill", "letter where")
        assert after == replace(before, text="Where is my letter?")

    async def test_what_was_deleted_is_not_found_and_does_not_come_back(
        self, stores: Stores, conversation: UUID
    ):
        message = says(conversation, PARCEL)
        await stores.log.append([message, says(conversation, "Another parcel")])
        await stores.log.append([changes(message, 1, "")])
        assert await self.found(stores, "parcel") == ["Another parcel"]
        await stores.log.append([changes(message, 1, "My parcel, edited"), changes(message, 1, "")])
        await stores.log.append([changes(message, 7, "No such parcel"), changes(message, 9, "")])
        assert await self.found(stores, "parcel") == ["Another parcel"]

    async def test_all_of_it_in_one_append(self, stores: Stores, conversation: UUID):
        one, two = says(conversation, "one parcel"), says(conversation, "two parcels")
        await stores.log.append(
            [one, two, changes(one, 1, "one letter"), changes(two, 2, ""), changes(one, 1, "a box")]
        )
        assert await self.found(stores, "one") == []
        assert await self.found(stores, "two") == []
        assert await self.found(stores, "box") == ["a box"]

    async def test_a_resend_doubles_nothing(self, stores: Stores, conversation: UUID):
        message = says(conversation, PARCEL)
        [first] = await stores.log.append([message])
        await stores.log.append([changes(message, 1, "Where is my letter?")])
        assert isinstance(first, Appended)
        again = [message, replace(message, findable=None, at=NOW + 5)]
        for resent in again:
            assert await stores.log.append([resent]) == [replace(first, fresh=False)]
        other = replace(message, body=b"other", findable=Findable("mill", "other parcel"))
        assert await stores.log.append([other]) == [Conflict(first.entry)]
        assert await self.found(stores, "parcel") == []
        assert await self.found(stores, "letter") == ["Where is my letter?"]

    async def test_what_carries_no_text_is_not_found(self, stores: Stores, conversation: UUID):
        await stores.log.append([says(conversation, "parcel", findable=None)])
        assert await self.found(stores, "parcel") == []

    async def test_shops_are_apart(self, stores: Stores, conversation: UUID):
        odd = "Möbel & Co. OR \"mill\" '%'"
        await stores.log.append([says(conversation, "mill parcel")])
        await stores.log.append([says(uuid4(), "odd parcel", shop=odd)])
        assert await self.found(stores, "parcel") == ["mill parcel"]
        assert await self.found(stores, "parcel", odd) == ["odd parcel"]
        for other in ("MILL", "mil", "mill2", "", "mill mill"):
            assert await self.found(stores, "parcel", other) == []
        assert await self.found(stores, "6d696c6c") == []

    async def test_the_newest_comes_first(self, stores: Stores, conversation: UUID):
        times = [NOW + 5, NOW - 70_000, NOW + 9, 0, 2**63 - 1, NOW]
        for n, at in enumerate(times):
            await stores.log.append([says(conversation, f"parcel {n}", at)])
        assert await self.found(stores, "parcel") == [f"parcel {n}" for n in (4, 2, 0, 5, 1, 3)]

    @pytest.mark.parametrize("step", [0, 1])
    async def test_pages_neither_skip_nor_repeat(
        self, stores: Stores, conversation: UUID, step: int
    ):
        for n in range(4):
            texts = [f"parcel {10 * n + m}" for m in range(10)]
            chat = conversation if n % 2 else uuid4()
            await stores.log.append(
                [says(chat, text, NOW + step * (10 * n + m)) for m, text in enumerate(texts)]
            )
        pages: list[list[Hit]] = [[]]
        before = None
        while page := await stores.search.messages("mill", "parc", before=before, limit=7):
            pages.append(page)
            before = page[-1].place
            if len(pages) == 2:
                await stores.log.append([says(conversation, "a newer parcel", NOW + 100)])
        hits = [hit for page in pages for hit in page]
        assert sorted(hit.text for hit in hits) == sorted(f"parcel {n}" for n in range(40))
        assert [hit.place for hit in hits] == sorted((h.place for h in hits), reverse=True)
        if step:
            assert [hit.text for hit in hits] == [f"parcel {n}" for n in reversed(range(40))]

    @pytest.mark.parametrize("limit", [0, -1, 1_001])
    async def test_a_read_needs_a_sensible_bound(self, stores: Stores, limit: int):
        with pytest.raises(ValueError):
            await stores.search.messages("mill", "parcel", limit=limit)
        with pytest.raises(ValueError):
            await stores.search.visitors("mill", "parcel", limit=limit)
        with pytest.raises(ValueError):
            await stores.search.messages("mill", "parcel", before=-1)

    async def test_many_at_once(self, stores: Stores):
        chats = [uuid4() for _ in range(8)]

        async def talk(chat: UUID) -> None:
            for n in range(10):
                message = says(chat, f"parcel {n}")
                [stored] = await stores.log.append([message])
                if n % 2:
                    await stores.log.append([changes(message, stored.entry.seq, "")])

        await asyncio.gather(*map(talk, chats))
        hits = await stores.search.messages("mill", "parcel", limit=1_000)
        assert len(hits) == len({hit.place for hit in hits}) == 8 * 5

    # visitors

    async def test_visitors_are_found_by_what_they_are_called(self, stores: Stores):
        await stores.directory.put_shop(Shop("mill", "Mill", ()))
        ana = visitor("Ana Müller", email="ana.m@example.com", external_id="K-1207")
        wei = visitor("陈伟", seen_at=NOW + 1)
        for one in (ana, wei, visitor(), visitor("Anatole", seen_at=NOW - 5)):
            await stores.directory.put_visitor(one)
        for query in ("ana mul", "MULLER", "ana.m@exam", "k-12", "example.com ana", "1207"):
            assert await stores.search.visitors("mill", query) == [ana], query
        assert await stores.search.visitors("mill", "陈") == [wei]
        assert await stores.search.visitors("mill", "陈伟") == [wei]
        names = [one.name for one in await stores.search.visitors("mill", "ana")]
        assert names == ["Ana Müller", "Anatole"]
        assert len(await stores.search.visitors("mill", "ana", limit=1)) == 1
        for query in ("nn", "muller petra", "ana bert"):
            assert await stores.search.visitors("mill", query) == []

    async def test_visitors_by_their_newest_name_in_their_own_shop(self, stores: Stores):
        for shop in ("mill", "zoo"):
            await stores.directory.put_shop(Shop(shop, shop, ()))
        ana = visitor("Ana Weber")
        await stores.directory.put_visitor(ana)
        await stores.directory.put_visitor(visitor("Ana Zoe", shop="zoo"))
        ana = replace(ana, name="Ana Koch", seen_at=NOW + 9)
        await stores.directory.put_visitor(ana)
        assert await stores.search.visitors("mill", "ana") == [ana]
        assert await stores.search.visitors("mill", "weber") == []
        await stores.directory.put_visitor(replace(ana, name=None))
        assert await stores.search.visitors("mill", "ana") == []

    # indexing what was there before

    async def test_a_fresh_store_has_nothing_to_index(self, stores: Stores):
        await self._talk(stores, "parcel")
        assert await stores.search.count_unindexed() == 0
        assert await stores.search.unindexed() == []

    async def test_everything_can_be_indexed_anew(self, stores: Stores):
        ana = visitor("Ana Weber")
        chats = [await self._talk(stores, f"parcel {n}", ana) for n in range(3)]
        before = await stores.search.messages("mill", "parcel")
        assert await stores.search.reset_index() == 3
        assert await self.found(stores, "parcel") == []
        assert await stores.search.unindexed(limit=2) == sorted(chats)[:2]
        for left, chat in zip((2, 1, 0), sorted(chats), strict=True):
            found = Found(1, "v:1", "message", NOW, f"parcel {chats.index(chat)}")
            assert await stores.search.index(chat, "mill", 1, [found])
            assert await stores.search.count_unindexed() == left
        after = await stores.search.messages("mill", "parcel")
        assert {hit.text for hit in before} == {hit.text for hit in after}
        assert await stores.search.visitors("mill", "weber") == [ana]
        assert await stores.search.unindexed() == []

    async def test_indexing_replaces_what_was_found(self, stores: Stores):
        chat = await self._talk(stores, "parcel")
        for _ in range(2):
            found = [Found(1, "v:1", "message", NOW, text) for text in ("parcel",)]
            assert await stores.search.index(chat, "mill", 1, found)
        assert await self.found(stores, "parcel") == ["parcel"]
        assert await stores.search.index(chat, "mill", 1, [])
        assert await self.found(stores, "parcel") == []

    async def test_indexing_by_an_old_reading_does_nothing(self, stores: Stores):
        chat = await self._talk(stores, "parcel")
        await stores.search.reset_index()
        [later] = await stores.log.append([says(chat, "another parcel")])
        assert later.entry.seq == 2
        assert not await stores.search.index(chat, "mill", 1, [])
        assert await self.found(stores, "parcel") == ["another parcel"]
        assert await stores.search.unindexed() == [chat]

    async def test_what_is_said_before_its_conversation_is_indexed(self, stores: Stores):
        chat = await self._talk(stores, "parcel")
        await stores.search.reset_index()
        message = says(chat, "another parcel")
        await stores.log.append([message, changes(message, 1, "not yet found"), message])
        await stores.log.append([changes(message, 2, "a letter")])
        assert await self.found(stores, "letter") == ["a letter"]
        assert await self.found(stores, "found") == []

    async def _talk(self, stores: Stores, text: str, who: Visitor | None = None) -> UUID:
        """A conversation, in the directory too, with one message."""
        chat, who = uuid4(), who or visitor()
        await stores.directory.put_shop(Shop("mill", "Mill", ()))
        await stores.directory.put_visitor(who)
        await stores.directory.create_conversation(Conversation(chat, "mill", who.id))
        await stores.log.append([says(chat, text)])
        return chat
