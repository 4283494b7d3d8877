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
