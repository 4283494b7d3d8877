from __future__ import annotations

from uuid import uuid4

import pytest
from msgspec import Raw

from server.region.messages import (
    Arrived,
    Carried,
    Command,
    Declined,
    Entries,
    Greeting,
    Item,
    Message,
    Moved,
    Passing,
    Person,
    Want,
    decode,
    decode_item,
    encode,
    key_of,
)
from storage.base import Conversation, Draft, Entry, Head, Visitor

CHAT, WHO = uuid4(), uuid4()
ENTRY = Entry(CHAT, 1, 2, f"v:{WHO}", uuid4(), "message", b"\x80", 7)
ITEMS: list[Item] = [
    Entries(Conversation(CHAT, "zebra", WHO), Visitor(WHO, "zebra"), (ENTRY,)),
    Person("shop", "zebra", Raw(encode("record")), 9, "eu"),
    Command(Draft(CHAT, "a:1", uuid4(), "note", b"\x80", 7), "cn"),
    Declined(CHAT, "a:1", uuid4(), "forbidden", "no"),
    Moved(CHAT, "cn", 2, 14),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_an_item_crosses(item: Item) -> None:
    carried = Carried("1-0", Raw(encode(item)))
    crossed = decode(encode(carried))
    assert isinstance(crossed, Carried)
    assert decode_item(crossed.item) == item


@pytest.mark.parametrize(
    "message",
    [
        Greeting(1, "eu", 5),
        Arrived(("1-0", "1-1")),
        Want(CHAT, Head(1, 4)),
        Passing("zebra", Raw(encode([0]))),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_crosses(message: Message) -> None:
    assert decode(encode(message)) == message


def test_what_changes_one_log_keeps_its_order() -> None:
    keys = [key_of(item) for item in ITEMS]
    assert len({keys[0], *keys[2:]}) == 1
    assert keys[1] != keys[0]
