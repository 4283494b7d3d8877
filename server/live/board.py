"""Who is online in which shop, and by whose word: what one worker has heard of all of them.

What holds always: a person is there while any worker says so; asking for one takes the same time
however many there are; of each worker there is a digest of all that it said of a shop, which does
not depend on the order, so that two boards can be compared without being read.
Pure: no clock, no bus. May import: domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID
from zlib import crc32

from msgspec import Struct

from server.domain.people import Role

_MASK = 0xFFFFFFFF
_Sighting = tuple[UUID, str]
"""By which worker, over which transport."""


class Digest(Struct, frozen=True):
    """Of what one worker says of one shop."""

    visitors: int = 0
    agents: int = 0
    sum: int = 0

    def changed(self, who: str, old: str | None, new: str | None) -> Digest:
        """After this person's transport changed; None stands for offline."""
        more = (new is not None) - (old is not None)
        agent = is_agent(who)
        total = self.sum - _mark(who, old) + _mark(who, new)
        return Digest(
            self.visitors + (0 if agent else more), self.agents + more * agent, total & _MASK
        )


NOBODY = Digest()


def is_agent(who: str) -> bool:
    """Whether the text id is an agent's."""
    return who.startswith(Role.AGENT.value)


def _mark(who: str, transport: str | None) -> int:
    return 0 if transport is None else crc32(f"{who} {transport}".encode())


class Board:
    """Sightings by shop and person."""

    def __init__(self) -> None:
        self._people: dict[str, dict[str, tuple[_Sighting, ...]]] = {}
        """The latest sighting of a person stands last."""
        self._agents: dict[str, set[str]] = {}
        self._digests: dict[str, dict[UUID, Digest]] = {}

    def hear(self, shop: str, source: UUID, who: str, transport: str | None) -> None:
        """What a worker says of somebody."""
        people = self._people.setdefault(shop, {})
        before = people.get(who, ())
        old = next((over for by, over in before if by == source), None)
        sightings = tuple([one for one in before if one[0] != source])
        if transport is not None:
            sightings += ((source, transport),)
        if sightings:
            people[who] = sightings
        else:
            people.pop(who, None)
        if is_agent(who):
            agents = self._agents.setdefault(shop, set())
            (agents.add if sightings else agents.discard)(who)
        if old != transport:
            self._count(shop, source, who, old, transport)

    def _count(self, shop: str, source: UUID, who: str, old: str | None, new: str | None) -> None:
        digests = self._digests.setdefault(shop, {})
        digest = digests.pop(source, NOBODY).changed(who, old, new)
        if digest != NOBODY:
            digests[source] = digest

    def last(self, shop: str, who: str) -> _Sighting | None:
        """The latest sighting of somebody."""
        sightings = self._people.get(shop, {}).get(who)
        return sightings[-1] if sightings else None

    def online(self, shop: str) -> Iterator[tuple[str, str]]:
        """Everybody, with the transport."""
        return ((who, seen[-1][1]) for who, seen in self._people.get(shop, {}).items())

    def agents(self, shop: str) -> list[tuple[str, str]]:
        """The agents among them."""
        people = self._people.get(shop, {})
        return [(who, people[who][-1][1]) for who in self._agents.get(shop, ())]

    def number(self, shop: str) -> int:
        """How many are online."""
        return len(self._people.get(shop, ()))

    def digests(self, shop: str) -> dict[UUID, Digest]:
        """By worker."""
        return self._digests.get(shop, {})

    def told_by(self, shop: str, source: UUID) -> dict[str, str]:
        """All that one worker says of a shop. Looks at everybody."""
        return {
            who: over
            for who, sightings in self._people.get(shop, {}).items()
            for by, over in sightings
            if by == source
        }

    def forget(self, shop: str) -> None:
        """All of a shop."""
        for table in (self._people, self._agents, self._digests):
            table.pop(shop, None)
