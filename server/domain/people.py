"""Who takes part in a chat, and the text ids they go by on the wire and in the log.

What holds always: `parse(who(role, id)) == (role, id)`; everything else parses to None.
May import: nothing above.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class Role(StrEnum):
    """What kind of person, by the letter that opens their id."""

    VISITOR = "v"
    AGENT = "a"


def who(role: Role, id: UUID) -> str:
    """The text id of a person: `v:<uuid>` or `a:<uuid>`."""
    return f"{role.value}:{id}"


def parse(text: str) -> tuple[Role, UUID] | None:
    """The role and id in a text id, or None for anything that is not the id of a person."""
    letter, colon, rest = text.partition(":")
    if not colon or letter not in ("v", "a") or len(rest) != 36:
        return None
    try:
        id = UUID(rest)
    except ValueError:
        return None
    return (Role(letter), id) if str(id) == rest else None


class Caller(Struct, frozen=True):
    """An authenticated person, as every rule and service sees them."""

    role: Role
    id: UUID
    shop: str

    @property
    def who(self) -> str:
        """The text id."""
        return who(self.role, self.id)
