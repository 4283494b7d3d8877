"""The limits of what a store takes, the same for every store, checked before anything is queued.

What breaks a limit is the caller's mistake and raises ValueError; it never reaches the disk.

May import: base.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from storage.base import Draft

MAX_AUTHOR = 64
"""Characters of a draft's author."""
MAX_KIND = 32
"""Characters of a draft's kind."""
MAX_BODY = 65_536
"""Bytes of a draft's body."""
MAX_FINDABLE = 16_384
"""Characters of the text that a message is found by."""
MAX_CALL = 256
"""Drafts of one `append`."""
MAX_READ = 1_000
"""Entries or records of one read."""
MAX_IDS = 10_000
"""Ids asked for in one call."""
MAX_INTEGER = 2**63 - 1
"""The largest number a store keeps: SQLite's and PostgreSQL's 64-bit integer."""


def weigh(drafts: Sequence[Draft]) -> int:
    """Check the drafts of one call; returns the bytes of their bodies and texts."""
    if len(drafts) > MAX_CALL:
        raise ValueError(f"{len(drafts)} drafts in one call; at most {MAX_CALL} are allowed")
    return sum(map(_weigh, drafts))


def _weigh(draft: Draft) -> int:
    if not 0 < len(draft.author) <= MAX_AUTHOR:
        raise ValueError(f"an author has 1 to {MAX_AUTHOR} characters, not {len(draft.author)}")
    if not 0 < len(draft.kind) <= MAX_KIND:
        raise ValueError(f"a kind has 1 to {MAX_KIND} characters, not {len(draft.kind)}")
    if len(draft.body) > MAX_BODY:
        raise ValueError(f"a body has at most {MAX_BODY} bytes, not {len(draft.body)}")
    check_integer("at", draft.at)
    if draft.findable is None:
        return len(draft.body)
    check_findable(draft.findable.text, draft.findable.seq or 0)
    return len(draft.body) + len(draft.findable.text)


def check_findable(text: str, seq: int) -> None:
    """Refuse what no index could keep."""
    if len(text) > MAX_FINDABLE:
        raise ValueError(f"a text has at most {MAX_FINDABLE} characters, not {len(text)}")
    check_integer("seq", seq)


def check_integer(name: str, value: int) -> None:
    """Refuse a number that no store could keep."""
    if not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 2**63 - 1")


def check_limit(limit: int) -> None:
    """Refuse a read without a sensible bound."""
    if not 1 <= limit <= MAX_READ:
        raise ValueError(f"limit is {limit}; it must lie between 1 and {MAX_READ}")


def check_ids(ids: Sequence[object]) -> None:
    """Refuse a list of ids without a sensible bound."""
    if len(ids) > MAX_IDS:
        raise ValueError(f"{len(ids)} ids in one call; at most {MAX_IDS} are allowed")


def check_record(record: Struct) -> None:
    """Refuse a record with a number that no store could keep."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, int):
            check_integer(name, value)
