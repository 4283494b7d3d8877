"""The rules of the log that every store shares: where a draft lands, what a resend is told.

Pure functions. May import: base.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from storage.base import Appended, Conflict, Draft, Entry, Head

Key = tuple[UUID, str, UUID]
"""What a draft is told apart by: conversation, author, client_id."""

FIRST_EPOCH = 1
"""The epoch in which a new log begins."""


def place(draft: Draft, epoch: int, seq: int) -> Entry:
    """The entry that a draft becomes."""
    return Entry(
        draft.conversation,
        epoch,
        seq,
        draft.author,
        draft.client_id,
        draft.kind,
        draft.body,
        draft.at,
    )


def answer_resend(draft: Draft, stored: Entry) -> Appended | Conflict:
    """What the sender of a client id that the log already holds is told."""
    if stored.kind == draft.kind and stored.body == draft.body:
        return Appended(stored, fresh=False)
    return Conflict(stored)


def number(
    drafts: Iterable[Draft], heads: dict[UUID, Head], known: dict[Key, Entry]
) -> list[Appended | Conflict]:
    """Give drafts their places, in order, after `heads`; `known` are entries with their client ids.

    Both are brought up to date.
    """
    return [_number(draft, heads, known) for draft in drafts]


def _number(draft: Draft, heads: dict[UUID, Head], known: dict[Key, Entry]) -> Appended | Conflict:
    key = draft.conversation, draft.author, draft.client_id
    stored = known.get(key)
    if stored is not None:
        return answer_resend(draft, stored)
    head = heads[draft.conversation]
    entry = known[key] = place(draft, head.epoch, head.seq + 1)
    heads[draft.conversation] = Head(entry.epoch, entry.seq)
    return Appended(entry, fresh=True)
