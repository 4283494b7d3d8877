"""An entry as a member of a sorted set, and many strings as one argument of a script.

The same entry is always the same bytes, so putting it twice is putting it once. The conversation is
the key's. Of an entry whose body is too long to be kept, everything but the body is.
May import: base.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from storage.base import Entry


class Packed(Struct, frozen=True, array_like=True):
    """An entry without its conversation; `body` is None where it was too long."""

    epoch: int
    seq: int
    author: str
    client_id: UUID
    kind: str
    body: bytes | None
    at: int


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
unpack = msgspec.msgpack.Decoder(Packed).decode
"""A member as the record. Raises msgspec.MsgspecError."""


def pack(entry: Entry, longest: int) -> bytes:
    """The entry as a member."""
    body = entry.body if len(entry.body) <= longest else None
    return _encode(
        Packed(entry.epoch, entry.seq, entry.author, entry.client_id, entry.kind, body, entry.at)
    )


def restore(conversation: UUID, members: Sequence[Packed]) -> list[Entry] | None:
    """The entries, unless the body of one of them was not kept."""
    return (
        [
            Entry(
                conversation,
                one.epoch,
                one.seq,
                one.author,
                one.client_id,
                one.kind,
                one.body,
                one.at,
            )
            for one in members
            if one.body is not None
        ]
        if all(one.body is not None for one in members)
        else None
    )


def join(strings: Iterable[bytes]) -> bytes:
    """All of them, each behind its length in four bytes."""
    return b"".join([part for one in strings for part in (len(one).to_bytes(4, "big"), one)])
