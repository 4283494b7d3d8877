"""The fold: what a conversation is now, derived from the entries of its log. Pure and total.

The server keeps only what lists and unread counts need, so the fold is small however long the
conversation grows: the last message and note, the read marks, and the positions of the newest
RECENT messages. Clients, who have the entries, fold the texts of all messages by the same rules.

What holds always:
- folding in any split gives the same state: `fold(fold(s, a), b) == fold(s, a + b)`, also when the
  state between was written with `dumps` and read with `loads`;
- an entry at or before `seq` changes nothing, so folding twice is folding once;
- an entry that cannot be read, or refers to nothing, only moves `seq`.

May import: entries, people; the record Entry of storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from server.domain import entries
from server.domain.people import Role
from storage.base import Entry

RECENT = 100
"""Messages that can be counted as unread. An unread count stops here ("100+")."""
READERS = 64
"""Read marks kept. Over it the lowest is forgotten."""
EXCERPT = 200
"""Characters of the last message that lists show."""


class Last(Struct, frozen=True):
    """The last message or note. A deleted one stays, as in the timeline, with an empty text."""

    seq: int
    author: str
    kind: str
    text: str
    at: int
    deleted: bool = False


class Fold(Struct, frozen=True):
    """What the server knows of a conversation after the entry `seq` of `epoch`."""

    epoch: int = 0
    seq: int = 0
    status: str = "open"
    assignee: str | None = None
    message: Last | None = None
    note: Last | None = None
    reads: dict[str, int] = {}
    """The read mark of each person."""
    recent: dict[str, tuple[int, ...]] = {}
    """By author, the positions of messages that are not deleted; the newest RECENT of all."""
    rating: int | None = None
    updated_at: int = 0
    """When somebody last said or did something; reading and correcting do not count."""

    def unread(self, who: str, *, upto: int | None = None) -> int:
        """Messages of others after the read mark of `who` (and not after `upto`), up to RECENT."""
        mark = self.reads.get(who, 0)
        return sum(
            mark < seq and (upto is None or seq <= upto)
            for author, seqs in self.recent.items()
            if author != who
            for seq in seqs
        )

    def last(self, role: Role) -> Last | None:
        """The last message; for agents the last note, if that came after it."""
        if role is Role.VISITOR or self.note is None:
            return self.message
        if self.message is None or self.note.seq > self.message.seq:
            return self.note
        return self.message


def fold(state: Fold, log: Iterable[Entry]) -> Fold:
    """Take entries into the state, in order."""
    for entry in log:
        state = apply(state, entry)
    return state


def apply(state: Fold, entry: Entry) -> Fold:
    """Take one entry into the state. A newer epoch starts the conversation over."""
    if entry.epoch < state.epoch:
        return state
    if entry.epoch > state.epoch:
        state = Fold(epoch=entry.epoch)
    if entry.seq <= state.seq:
        return state
    state = replace(state, seq=entry.seq)
    body = entries.stored(entry.kind, entry.body)
    if body is None:
        return state
    return _RULES[type(body)](state, entry, body)


def dumps(state: Fold) -> str:
    """The state as the text that the directory keeps."""
    return msgspec.json.encode(state).decode()


def loads(text: str) -> Fold:
    """Read `dumps`. Anything else is the empty state: the log can rebuild it."""
    try:
        return msgspec.json.decode(text, type=Fold)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Fold()


def _message(state: Fold, entry: Entry, body: entries.Message) -> Fold:
    reopened = "open" if entry.author.startswith(Role.VISITOR.value) else state.status
    return replace(
        state,
        status=reopened,
        message=_last(entry, body.text),
        recent=_remember(state.recent, entry),
        updated_at=entry.at,
    )


def _edit(state: Fold, entry: Entry, body: entries.Edit) -> Fold:
    last = state.message
    if last is None or last.seq != body.seq or last.deleted or last.author != entry.author:
        return state
    return replace(state, message=replace(last, text=body.text[:EXCERPT]))


def _deletion(state: Fold, entry: Entry, body: entries.Deletion) -> Fold:
    last = state.message
    if last is not None and last.seq == body.seq:
        last = replace(last, text="", deleted=True)
    return replace(state, message=last, recent=_forget(state.recent, body.seq))


def _note(state: Fold, entry: Entry, body: entries.Note) -> Fold:
    return replace(state, note=_last(entry, body.text), updated_at=entry.at)


def _assignment(state: Fold, entry: Entry, body: entries.Assignment) -> Fold:
    return replace(state, assignee=body.agent, updated_at=entry.at)


def _status(state: Fold, entry: Entry, body: entries.Status) -> Fold:
    return replace(state, status=body.status, updated_at=entry.at)


def _read(state: Fold, entry: Entry, body: entries.Read) -> Fold:
    reads = dict(state.reads)
    reads[entry.author] = max(body.seq, reads.get(entry.author, 0))
    if len(reads) > READERS:
        del reads[min(reads, key=lambda who: (reads[who], who))]
    return replace(state, reads=reads)


def _rating(state: Fold, entry: Entry, body: entries.Rating) -> Fold:
    return replace(state, rating=body.score, updated_at=entry.at)


_RULES: dict[type, Callable[[Fold, Entry, Any], Fold]] = {
    entries.Message: _message,
    entries.Edit: _edit,
    entries.Deletion: _deletion,
    entries.Note: _note,
    entries.Assignment: _assignment,
    entries.Status: _status,
    entries.Read: _read,
    entries.Rating: _rating,
}


def _last(entry: Entry, text: str) -> Last:
    return Last(entry.seq, entry.author, entry.kind, text[:EXCERPT], entry.at)


def _remember(recent: dict[str, tuple[int, ...]], entry: Entry) -> dict[str, tuple[int, ...]]:
    recent = {**recent, entry.author: (*recent.get(entry.author, ()), entry.seq)}
    if sum(map(len, recent.values())) > RECENT:
        return _forget(recent, min(seqs[0] for seqs in recent.values()))
    return recent


def _forget(recent: dict[str, tuple[int, ...]], seq: int) -> dict[str, tuple[int, ...]]:
    kept = {who: tuple(s for s in seqs if s != seq) for who, seqs in recent.items()}
    return {who: seqs for who, seqs in kept.items() if seqs}
