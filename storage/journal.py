"""The rules of the journal that every store shares: what may be written over what.

Pure functions. May import: base, limits.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.base import FINAL, Missing, Record
from storage.limits import MAX_BODY, MAX_KIND, check_record


def weigh_record(record: Record) -> int:
    """Check a record; returns the bytes of its payload. Raises ValueError."""
    for name, text in (("kind", record.kind), ("state", record.state)):
        if not 0 < len(text) <= MAX_KIND:
            raise ValueError(f"a {name} has 1 to {MAX_KIND} characters, not {len(text)}")
    if len(record.payload) > MAX_BODY:
        raise ValueError(f"a payload has at most {MAX_BODY} bytes, not {len(record.payload)}")
    check_record(record)
    return len(record.payload)


def in_the_way(
    record: Record, expected: str | None, stored: Record | None, rivals: Iterable[Record]
) -> Record | None:
    """What keeps `record` from being written: itself, when it is there already.

    `stored` is what its id has, `rivals` are the others of its key. Raises Missing.
    """
    if stored is None and expected is not None:
        raise Missing(f"the journal holds no transaction {record.id}")
    if stored is not None and (stored.state != expected or stored.token > record.token):
        return stored
    blocking = [r for r in rivals if _blocks(r, record)]
    # One that is open first: it can be finished, and then it is out of the way.
    return max(blocking, key=lambda r: (r.state not in FINAL, r.token), default=None)


def _blocks(rival: Record, record: Record) -> bool:
    both_open = rival.state not in FINAL and record.state not in FINAL
    return both_open or rival.token > record.token
