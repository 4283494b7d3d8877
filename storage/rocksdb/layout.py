"""What lies where in the database: keys that sort, and compact values.

    e conversation(16) seq(8)               epoch, at, author, client_id, kind, body
    c conversation(16) client_id(16) author  seq(8)
    format                                   the version of this layout

Numbers in keys are big endian, so that the entries of a conversation lie beside each other in their
order: a read is one scan, and the head of a conversation is its last entry, which therefore needs
no key of its own. Keys of the first two kinds begin with PREFIX bytes that name a conversation,
for the filters that tell whether a file can hold any of it. Values are MessagePack.

Pure. May import: base.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import Struct

from storage.base import Entry

FORMAT = b"format"
"""The key of the layout's version."""
VERSION = 1

PREFIX = 17
_SEQ = 8


class _Value(Struct, frozen=True, array_like=True):
    """An entry without what its key says."""

    epoch: int
    at: int
    author: str
    client_id: bytes
    kind: str
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Value).decode


def entry_prefix(conversation: bytes) -> bytes:
    """What the keys of a conversation's entries begin with."""
    return b"e" + conversation


def entry_key(conversation: bytes, seq: int) -> bytes:
    """Where an entry lies."""
    return b"e" + conversation + seq.to_bytes(_SEQ, "big")


def client_key(conversation: bytes, author: str, client_id: bytes) -> bytes:
    """Where the seq of the entry with this client id lies."""
    return b"c" + conversation + client_id + author.encode()


def pack_seq(seq: int) -> bytes:
    """The value under a client key."""
    return seq.to_bytes(_SEQ, "big")


def unpack_seq(value: bytes) -> int:
    """The seq that a client key's value says."""
    return int.from_bytes(value, "big")


def seq_of(key: bytes) -> int:
    """The seq that an entry's key says."""
    return int.from_bytes(key[PREFIX:], "big")


def pack_entry(entry: Entry) -> bytes:
    """The value under an entry's key."""
    return _encode(
        _Value(entry.epoch, entry.at, entry.author, entry.client_id.bytes, entry.kind, entry.body)
    )


def unpack_entry(key: bytes, value: bytes) -> Entry:
    """The entry of a key and its value. Raises msgspec.MsgspecError on what is none."""
    epoch, at, author, client_id, kind, body = msgspec.structs.astuple(_decode(value))
    conversation = UUID(bytes=key[1:PREFIX])
    return Entry(conversation, epoch, seq_of(key), author, UUID(bytes=client_id), kind, body, at)
