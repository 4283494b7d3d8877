"""What a sender sent, was told and was delivered, and whether the log agrees. Pure.

The verdict is the bench's conscience: every promise of the server about messages is checked here,
against the log as it is read back afterwards, and each breach has a count of its own.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct


class Row(NamedTuple):
    """One entry of the log, as far as it matters here."""

    seq: int
    client_id: UUID


class Verdict(Struct, frozen=True):
    """Counts over conversations; `breaches` must be 0."""

    sent: int = 0
    accepted: int = 0
    refused_for_good: int = 0
    unanswered: int = 0
    lost: int = 0
    """Accepted and not in the log."""
    doubled: int = 0
    """In the log, or delivered, more than once."""
    disordered: int = 0
    """Not in the order in which they were sent."""
    strange: int = 0
    """In the log at another place than `accepted` said, refused for good and there all the same,
    or never sent; and places of the log that are empty."""

    @property
    def breaches(self) -> int:
        """What must not be."""
        return self.lost + self.doubled + self.disordered + self.strange

    def __add__(self, other: Verdict) -> Verdict:
        pairs = ((getattr(self, f) + getattr(other, f)) for f in self.__struct_fields__)
        return Verdict(*pairs)


class Ledger:
    """One sender in one conversation that nobody else writes to."""

    __slots__ = ("accepted", "delivered", "refused", "sent")

    def __init__(self) -> None:
        self.sent: list[UUID] = []
        self.accepted: dict[UUID, int] = {}
        self.refused: set[UUID] = set()
        """Those that were refused for good."""
        self.delivered: list[Row] = []

    def verdict(self, log: Sequence[Row]) -> Verdict:
        """Compare with the whole log of the conversation."""
        places = {row.client_id: row.seq for row in log}
        return Verdict(
            sent=len(self.sent),
            accepted=len(self.accepted),
            refused_for_good=len(self.refused),
            unanswered=len(set(self.sent) - set(self.accepted) - self.refused),
            lost=sum(client_id not in places for client_id in self.accepted),
            doubled=_repeats([row.client_id for row in log])
            + _repeats([row.seq for row in self.delivered]),
            disordered=_descents(self._turns(log)) + _descents([row.seq for row in self.delivered]),
            strange=self._strange(log, places),
        )

    def _turns(self, log: Sequence[Row]) -> list[int]:
        """The log as positions in what was sent, in the order of the log."""
        turn = {client_id: number for number, client_id in enumerate(self.sent)}
        in_order = sorted(log, key=lambda row: row.seq)
        return [turn[row.client_id] for row in in_order if row.client_id in turn]

    def _strange(self, log: Sequence[Row], places: dict[UUID, int]) -> int:
        known = set(self.sent)
        elsewhere = sum(
            places.get(client_id, seq) != seq for client_id, seq in self.accepted.items()
        )
        unwelcome = sum(row.client_id in self.refused or row.client_id not in known for row in log)
        holes = max((row.seq for row in log), default=0) - len({row.seq for row in log})
        return elsewhere + unwelcome + holes


def _repeats(items: Sequence[object]) -> int:
    return sum(count - 1 for count in Counter(items).values())


def _descents(numbers: Sequence[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))


class Heard(Struct, frozen=True):
    """How well a listener heard what others were told is accepted."""

    missed: int = 0
    doubled: int = 0
    disordered: int = 0

    @property
    def breaches(self) -> int:
        """What must not be."""
        return self.missed + self.doubled + self.disordered

    def __add__(self, other: Heard) -> Heard:
        return Heard(
            self.missed + other.missed,
            self.doubled + other.doubled,
            self.disordered + other.disordered,
        )


def heard(accepted: Sequence[UUID], arrivals: Sequence[Row]) -> Heard:
    """Compare one conversation's accepted messages with what a listener was delivered of it."""
    came = {row.client_id for row in arrivals}
    return Heard(
        sum(client_id not in came for client_id in accepted),
        _repeats([row.seq for row in arrivals]),
        _descents([row.seq for row in arrivals]),
    )
