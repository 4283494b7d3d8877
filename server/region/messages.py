"""What regions tell each other: the messages of a relay, and the items of its backlog.

A relay runs over a link (transport/links), which brings messages of one key in order, each once.
Two kinds of message cross it. *Items* are what must arrive whatever happens: they wait in the
backlog until the other region has them on disk and says so. The others only make sense now.

    Greeting    first on a link, from both sides
    Carried     an item, at its place in the sender's backlog
    Arrived     these places are on disk here
    Want        our log of this conversation ends here, and more must have been
    Passing     an event of the bus that nobody keeps: typing, receipts, presence

Items:

    Entries     the home has ordered these
    Person      a shop, an agent or a visitor is now like this (clock.py says which wins)
    Command     for the home to order; it answers with the entry, or with Declined
    Declined    the home will never order this
    Moved       the conversation has another home, or another epoch, from this position on

What holds always: messages are MessagePack arrays whose first item is their type; a receiver
ignores items past those it knows, so fields may be added at the end.
May import: bus's events; the records of storage.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from storage.base import Agent, Conversation, Draft, Entry, Head, Shop, Visitor

RECORDS: dict[str, type[Shop] | type[Agent] | type[Visitor]] = {
    "shop": Shop,
    "agent": Agent,
    "visitor": Visitor,
}
VERSION = 1
"""The version of the relay that Greeting carries. Regions of different ones do not talk."""


class Entries(Struct, frozen=True, array_like=True, tag=0):
    """Entries of one conversation, in order. `conversation` and `visitor` let a region that has
    never heard of it begin."""

    conversation: Conversation
    visitor: Visitor
    entries: tuple[Entry, ...]


class Person(Struct, frozen=True, array_like=True, tag=1):
    """A record as it was changed in the region `by`: `kind` is a key of RECORDS."""

    kind: str
    id: str
    record: Raw
    version: int
    by: str


class Command(Struct, frozen=True, array_like=True, tag=2):
    """An agent of the region `by` wants this appended."""

    draft: Draft
    by: str


class Declined(Struct, frozen=True, array_like=True, tag=3):
    """The home refused it for good."""

    conversation: UUID
    author: str
    client_id: UUID
    code: str
    message: str


class Moved(Struct, frozen=True, array_like=True, tag=4):
    """`home` orders the conversation from now on, in this epoch; of what was before it keeps the
    entries up to `base`."""

    conversation: UUID
    home: str
    epoch: int
    base: int


Item = Entries | Person | Command | Declined | Moved


class Greeting(Struct, frozen=True, array_like=True, tag=16):
    """Who is there, and what their clock says (Unix ms)."""

    version: int
    region: str
    now: int


class Carried(Struct, frozen=True, array_like=True, tag=17):
    """An item. `place` means something to its sender only."""

    place: str
    item: Raw


class Arrived(Struct, frozen=True, array_like=True, tag=18):
    """What was at these places is on disk, or was there before."""

    places: tuple[str, ...]


class Want(Struct, frozen=True, array_like=True, tag=19):
    """Where our log of a conversation ends."""

    conversation: UUID
    head: Head


class Passing(Struct, frozen=True, array_like=True, tag=20):
    """An event for a shop's sessions, as the bus packs it."""

    shop: str
    event: Raw


Message = Greeting | Carried | Arrived | Want | Passing

encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
decode_item = msgspec.msgpack.Decoder(Item).decode
decode = msgspec.msgpack.Decoder(Message).decode


def key_of(item: Item) -> bytes:
    """Items of one key keep their order."""
    match item:
        case Entries():
            return item.conversation.id.bytes
        case Person():
            return f"{item.kind} {item.id}".encode()
        case Command():
            return item.draft.conversation.bytes
        case Declined() | Moved():
            return item.conversation.bytes
