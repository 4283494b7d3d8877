"""How people see entries: what is hidden from visitors, and what fits into one answer.

What holds always: a visitor never sees the kind or body of a hidden entry, by whatever way it
reaches them; an answer built with `fit` stays within its budget of bytes.
May import: domain, storage, the wire's frames and packing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw
from msgspec.structs import astuple, replace

from server.domain.entries import HIDDEN, KINDS
from server.domain.people import Role
from storage.base import Entry
from transport.wire.codec import pack
from transport.wire.frames import EMPTY, Deliver

MAX_ANSWER = 60_000
"""Bytes of the items in one answer, so that it fits into a frame with what goes around them."""


def seen_by(role: Role, entry: Entry) -> Entry:
    """The entry as people in this role see it."""
    kind = KINDS.get(entry.kind)
    if role is Role.AGENT or (kind is not None and not kind.hidden):
        return entry
    return replace(entry, kind=HIDDEN, body=bytes(EMPTY))


def deliver(entry: Entry) -> Deliver:
    """The frame for an entry."""
    return Deliver(
        entry.conversation,
        entry.epoch,
        entry.seq,
        entry.author,
        entry.client_id,
        entry.kind,
        Raw(entry.body),
        entry.at,
    )


def packed(entry: Entry) -> Raw:
    """The entry as an array with the fields of `deliver`."""
    return pack(astuple(deliver(entry)))


def fit(items: Iterable[Raw], budget: int = MAX_ANSWER) -> list[Raw]:
    """The items from the front that fit into `budget` bytes together."""
    taken: list[Raw] = []
    for item in items:
        budget -= len(bytes(item))
        if budget < 0:
            break
        taken.append(item)
    return taken
