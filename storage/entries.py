"""The rules of the log that every store shares: where a draft lands, what a resend is told.

Pure functions. May import: base.
"""

from __future__ import annotations

from storage.base import Appended, Conflict, Draft, Entry

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
