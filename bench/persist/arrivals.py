"""The load on a store: which message is due when, in which conversation, and what it says.

Pure, but for the clock. May import: storage's records; transport's uuid7.
"""

from __future__ import annotations

import random
from typing import Literal
from uuid import UUID

from msgspec import Struct

from storage.base import Draft, Findable
from transport.uuid7 import uuid7

SHORTEST, LONGEST = 120, 300
"""Bytes of a body."""
BODIES = 256
VOCABULARY = 2_000
"""Words that people use: the n-th most frequent one n times less than the first (Zipf)."""
SHOP = "demo"
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


class Load(Struct, frozen=True, kw_only=True):
    """So many messages a second, evenly, for so long. Those of the warm-up are not counted."""

    url: str
    kind: Literal["store", "bare"]
    """What is at the URL: a store, or the path of a file to which the bytes are just written."""
    rate: float
    seconds: float
    warm_up: float
    conversations: int
    seed: int
    found: bool
    """Whether messages can be found by their words, as a server's can."""

    @property
    def uncounted(self) -> int:
        """Messages of the warm-up."""
        return round(self.rate * self.warm_up)

    @property
    def messages(self) -> int:
        """All of them."""
        return self.uncounted + max(1, round(self.rate * self.seconds))

    def due(self, passed: float) -> int:
        """How many are due when so many seconds have passed."""
        return max(0, min(self.messages, int(passed * self.rate) + 1))

    def at(self, number: int) -> float:
        """When a message is due, in seconds from the beginning."""
        return number / self.rate


class Told(Struct, frozen=True, kw_only=True):
    """What came of it."""

    delays: list[float]
    """Milliseconds from when each was due until it was on disk; of those that were accepted."""
    refused: int
    took: float
    """Seconds from the first that counted until the last was answered."""
    cpu: float
    """Seconds of the processor that the process took, threads of the store included."""


class Words:
    """What is said in which conversation: all conversations in turn, in an order of the dice."""

    def __init__(self, load: Load) -> None:
        dice = random.Random(load.seed)
        self._found = load.found
        words = ["".join(dice.choices(_LETTERS, k=dice.randint(2, 9))) for _ in range(VOCABULARY)]
        often = [1 / rank for rank in range(1, VOCABULARY + 1)]
        said = (" ".join(dice.choices(words, often, k=LONGEST)) for _ in range(BODIES))
        self._texts = [text[: dice.randint(SHORTEST, LONGEST)] for text in said]
        self.conversations: list[UUID] = [uuid7() for _ in range(load.conversations)]
        dice.shuffle(self.conversations)

    def body(self, number: int) -> bytes:
        """What the message says."""
        return self._texts[number % BODIES].encode()

    def draft(self, number: int, at: int) -> Draft:
        """The message."""
        conversation = self.conversations[number % len(self.conversations)]
        author = "visitor" if number % 2 else "agent"
        return Draft(
            conversation,
            f"{author}:{conversation}",
            uuid7(),
            "message",
            self.body(number),
            at,
            Findable(SHOP, self._texts[number % BODIES]) if self._found else None,
        )
