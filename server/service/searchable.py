"""By which text an entry makes a message findable, from what the domain knows of its body. Pure.

What holds always: only messages and notes are found, by what they say now; storage, which does not
read bodies, is told here, wherever an entry comes from.
May import: domain, storage.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.domain import entries
from server.domain.entries import Body
from storage.base import Entry, Findable, Found


def findable(shop: str, body: Body) -> Findable | None:
    """What storage is told with an entry; None when it changes nothing of what is found."""
    match body:
        case entries.Message(text) | entries.Note(text):
            return Findable(shop, text)
        case entries.Edit(seq, text):
            return Findable(shop, text, seq)
        case entries.Deletion(seq):
            return Findable(shop, "", seq)
    return None


def fold(found: dict[int, Found], log: Iterable[Entry]) -> None:
    """Bring what a conversation is found by up to date with more of its log."""
    for entry in log:
        body = entries.stored(entry.kind, entry.body)
        said = None if body is None else findable("", body)
        if said is None:
            continue
        if said.seq is None:
            found[entry.seq] = Found(entry.seq, entry.author, entry.kind, entry.at, said.text)
        elif (known := found.pop(said.seq, None)) is not None and said.text:
            found[said.seq] = Found(known.seq, known.author, known.kind, known.at, said.text)
