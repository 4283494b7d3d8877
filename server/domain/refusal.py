"""Why the server does not do what it was asked: one exception for every layer of the server.

What holds always: `retry_after` is None exactly for the codes that are final
(docs/protocol.md, section 9).
May import: nothing above.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """The codes of section 9, as they cross the wire and REST."""

    CONFLICT = "conflict"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_METHOD = "unknown_method"
    AT_CAPACITY = "at_capacity"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    STORAGE_FULL = "storage_full"
    UNAVAILABLE = "unavailable"


RETRY_AFTER: dict[Code, int] = {
    Code.RATE_LIMITED: 1_000,
    Code.BUSY: 500,
    Code.STORAGE_FULL: 10_000,
    Code.UNAVAILABLE: 2_000,
}
"""Milliseconds after which trying again makes sense, unless who refuses knows better. A code that
is not here is final."""


class Refusal(Exception):
    """What was asked is not done; nothing has changed."""

    def __init__(self, code: Code, message: str, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after = None if code not in RETRY_AFTER else retry_after or RETRY_AFTER[code]
