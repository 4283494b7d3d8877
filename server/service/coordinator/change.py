"""What a transaction about an agent's place says: an entry for a log, and whom it takes a place of.

May import: base; the record Draft of storage.
"""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from server.service.coordinator.base import Transaction
from storage.base import Draft

KIND = "assignment"
"""Of the transactions."""


class Change(Struct, frozen=True, array_like=True):
    """An entry that makes a conversation take a place of `agent`, who has `capacity` of them."""

    agent: UUID
    capacity: int
    author: str
    client_id: UUID
    kind: str
    body: bytes
    at: int

    def draft(self, conversation: UUID) -> Draft:
        """The entry, as the log takes it."""
        return Draft(conversation, self.author, self.client_id, self.kind, self.body, self.at)


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decoder = msgspec.msgpack.Decoder(Change)


def transaction(draft: Draft, agent: UUID, capacity: int) -> Transaction:
    """The transaction for an entry: the same one for the same entry, so that a resend is known."""
    change = Change(
        agent, capacity, draft.author, draft.client_id, draft.kind, draft.body, draft.at
    )
    id = uuid5(draft.conversation, f"{draft.author} {draft.client_id}")
    return Transaction(id, KIND, draft.conversation, _encode(change))


def read(payload: bytes) -> Change:
    """What a transaction says."""
    return _decoder.decode(payload)
