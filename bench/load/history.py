"""Whether what several senders saw of one log can have happened: the sceptic's check. Pure.

Each send is an interval: from when it was sent to when its sender heard that it was accepted, at a
place of the log. A log to which many append at once behaves like one that takes them one after the
other, each at some instant within its interval, if and only if

    every accepted send is in the log once, where its sender was told;
    the places are 1, 2, 3, … without a hole;
    what was accepted before another was sent stands before it.

(That is linearizability: Herlihy and Wing, TOPLAS 1990.) Besides, chat promises that one sender's
messages stand in the order in which they were sent, although they do not wait for each other.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from uuid import UUID

from msgspec import Struct

from bench.load.ledger import Row


class Sent(Struct, frozen=True):
    """One send of `sender`. `accepted` and `seq` are None when no answer came; `refused` is the
    code when it was refused for good. Times in ns."""

    sender: int
    client_id: UUID
    sent: int
    accepted: int | None = None
    seq: int | None = None
    refused: str | None = None


class Breaches(Struct, frozen=True):
    """Counts of what must not be."""

    lost: int = 0
    """Accepted, and not in the log."""
    doubled: int = 0
    """In the log more than once."""
    moved: int = 0
    """In the log, but not where its sender was told."""
    holes: int = 0
    """Places of the log that are empty."""
    strange: int = 0
    """In the log, and sent by nobody."""
    late: int = 0
    """Stands before something that had been accepted before it was sent."""
    disordered: int = 0
    """Stands before an earlier message of the same sender."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, name) for name in self.__struct_fields__)

    def __add__(self, other: Breaches) -> Breaches:
        pairs = ((getattr(self, f) + getattr(other, f)) for f in self.__struct_fields__)
        return Breaches(*pairs)


def check(log: Sequence[Row], sends: Sequence[Sent]) -> Breaches:
    """One conversation's log against everything that was sent to it."""
    places = {row.client_id: row.seq for row in log}
    accepted = [send for send in sends if send.accepted is not None]
    known = {send.client_id for send in sends}
    return Breaches(
        lost=sum(send.client_id not in places for send in accepted),
        doubled=sum(count - 1 for count in Counter(row.client_id for row in log).values()),
        moved=sum(places.get(send.client_id, send.seq) != send.seq for send in accepted),
        holes=max((row.seq for row in log), default=0) - len({row.seq for row in log}),
        strange=sum(row.client_id not in known for row in log),
        late=_late(sends, places),
        disordered=_disordered(sends, places),
    )


def _late(sends: Iterable[Sent], places: dict[UUID, int]) -> int:
    """Walk through time: at each send, the highest place that had been accepted by then."""
    moments: list[tuple[int, int, Sent]] = []
    for send in sends:
        moments.append((send.sent, 1, send))
        if send.accepted is not None:
            moments.append((send.accepted, 0, send))
    highest = breaches = 0
    for _, is_send, send in sorted(moments, key=lambda moment: moment[:2]):
        place = places.get(send.client_id)
        if place is None:
            continue
        if is_send:
            breaches += place < highest
        else:
            highest = max(highest, place)
    return breaches


def _disordered(sends: Iterable[Sent], places: dict[UUID, int]) -> int:
    turns: dict[int, list[int]] = defaultdict(list)
    for send in sorted(sends, key=lambda send: send.sent):
        if send.client_id in places:
            turns[send.sender].append(places[send.client_id])
    return sum(later < earlier for row in turns.values() for earlier, later in pairwise(row))
