"""The rules of the index that every store shares: in which order messages are found, who is found.

Pure functions. May import: base, words.
"""

from __future__ import annotations

from storage.base import Visitor
from storage.words import terms

PLACE_BITS = 20
"""Of a place, below its time: so many messages of one millisecond have places of their own."""
_LATEST = 2**42
"""The time (in the year 2109) after which places no longer grow."""


def first_place(at: int) -> int:
    """The lowest place of a millisecond; the places of one follow each other."""
    return min(at, _LATEST) << PLACE_BITS


def called(visitor: Visitor) -> frozenset[str]:
    """The words by which a visitor is found."""
    texts = (visitor.name, visitor.email, visitor.external_id)
    return frozenset(term for text in texts if text for term in terms(text))
