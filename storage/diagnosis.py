"""What the doctor says: one finding for each thing that was looked at.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One thing that was looked at: `says` what was found, `mend` what to do ("" when ok)."""

    check: str
    level: Level
    says: str
    mend: str = ""


def indexed(unindexed: int, before: str = "") -> Finding:
    """Whether search finds everything. `before` is what must be done before the command."""
    if unindexed == 0:
        return Finding("search", Level.OK, "everything is indexed")
    says = f"{unindexed} conversations are not found yet"
    return Finding("search", Level.WARN, says, f"{before}run `tradewind reindex`")
