"""Who is online, without Redis: what this worker's sessions say, and what other workers said.

Every worker announces its own people when their sessions come or go, when another worker begins to
follow the shop and asks, and each of them again every ANNOUNCE_EVERY seconds, spread evenly over
that time. Everybody hears the announcements over the bus
and forgets what was not repeated for FORGET_AFTER seconds, so a killed worker's people go offline
by themselves.

What holds always: a person is online while any worker says so; announcing never waits; asking for
one person takes the same time however many are online; announcing them all never holds the loop up.
May import: bus, domain, online.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from server.bus.base import Asked, Bus, Seen
from server.domain.people import Caller, Role
from server.live.online import ANNOUNCE_EVERY, FORGET_AFTER, TOGETHER, Counts

AT_ONCE = 500
"""People announced to a worker that asks; the others follow within ANNOUNCE_EVERY seconds."""


class _Sighting(NamedTuple):
    """What a worker said of somebody, and when it was last heard."""

    source: UUID
    transport: str
    at: float


_Person = tuple[str, str]
"""(shop, text id)."""


class Presence:
    """See Online: the board of who is online. `clock` gives monotonic seconds."""

    def __init__(self, bus: Bus, source: UUID, clock: Callable[[], float]) -> None:
        self.tell: Callable[[str, Seen], object] = self.heard
        """Not used: the bus brings everything that is announced again."""
        self._bus = bus
        self._source = source
        self._clock = clock
        self._mine: list[dict[_Person, tuple[str, ...]]] = [{} for _ in range(ANNOUNCE_EVERY)]
        """The transports of the sessions here, the newest last, by the second that announces."""
        self._board: dict[str, dict[str, tuple[_Sighting, ...]]] = {}
        """By shop and text id; who was heard of last stands last, in either."""
        self._agents: dict[str, set[str]] = {}
        """Those of them that are agents, by shop."""

    def arrived(self, caller: Caller, transport: str) -> None:
        """A session of somebody began here."""
        person = (caller.shop, caller.who)
        people = self._slot(person)
        people[person] = (*people.get(person, ()), transport)
        self._announce(person)

    def left(self, caller: Caller, transport: str) -> None:
        """A session of somebody ended here."""
        person = (caller.shop, caller.who)
        people = self._slot(person)
        sessions = list(people.pop(person))
        sessions.remove(transport)
        if sessions:
            people[person] = tuple(sessions)
        self._announce(person)

    def heard(self, shop: str, seen: Seen) -> str | None:
        """Take an announcement; returns the transport over which the person is online, if any."""
        now, board = self._clock(), self._board.setdefault(shop, {})
        sightings = board.pop(seen.who, ())
        if sightings:
            limit = now - FORGET_AFTER
            sightings = tuple(
                [one for one in sightings if one.source != seen.source and one.at >= limit]
            )
        if seen.transport is not None:
            sightings += (_Sighting(seen.source, seen.transport, now),)
        if sightings:
            board[seen.who] = sightings
        if seen.who.startswith(Role.AGENT.value):
            self._agents.setdefault(shop, set())
            (self._agents[shop].add if sightings else self._agents[shop].discard)(seen.who)
        return sightings[-1].transport if sightings else None

    def ask(self, shop: str) -> None:
        """Ask the other workers who is online there."""
        self._bus.publish(shop, Asked(self._source))

    def asked(self, shop: str, by: Asked) -> None:
        """Tell another worker of the people here, the agents first: everybody sees those."""
        if by.source == self._source:
            return
        people = [person for slot in self._mine for person in slot if person[0] == shop]
        people.sort(key=lambda person: not person[1].startswith(Role.AGENT.value))
        for person in islice(people, AT_ONCE):
            self._announce(person)

    def transport(self, shop: str, who: str) -> str | None:
        """Over which transport this person is online, if they are."""
        sightings = self._board.get(shop, {}).get(who)
        return sightings[-1].transport if sightings else None

    def online(self, shop: str) -> Iterator[tuple[str, str]]:
        """Everybody who is online in the shop, with the transport. Take it before you wait."""
        return ((who, seen[-1].transport) for who, seen in self._board.get(shop, {}).items())

    def agents(self, shop: str) -> list[tuple[str, str]]:
        """The agents among them."""
        board = self._board.get(shop, {})
        return [(who, board[who][-1].transport) for who in self._agents.get(shop, ())]

    def counts(self, shop: str) -> Counts:
        """How many they are."""
        agents = len(self._agents.get(shop, ()))
        return Counts(len(self._board.get(shop, ())) - agents, agents)

    def forget(self, shop: str) -> None:
        """Nobody here listens to the shop any more: what is known of it grows stale."""
        self._board.pop(shop, None)
        self._agents.pop(shop, None)

    async def run(self) -> None:
        """Announce a share of the people every second, and forget the silent, for ever."""
        turn = 0
        while True:
            await asyncio.sleep(1.0)
            turn = (turn + 1) % ANNOUNCE_EVERY
            people = tuple(self._mine[turn])
            for start in range(0, len(people), TOGETHER):
                for person in people[start : start + TOGETHER]:
                    self._announce(person)
                await asyncio.sleep(0)
            self._expire()

    def _slot(self, person: _Person) -> dict[_Person, tuple[str, ...]]:
        return self._mine[hash(person) % ANNOUNCE_EVERY]

    def _announce(self, person: _Person) -> None:
        shop, who = person
        sessions = self._slot(person).get(person)
        self._bus.publish(shop, Seen(self._source, who, sessions[-1] if sessions else None))

    def _expire(self) -> None:
        """Say of those who fell silent, in the name of their workers, that they are gone.

        Who was heard of longest ago stands first, so only the silent are looked at. Of somebody
        whom another worker still announces, a silent worker is forgotten when that one is heard.
        """
        limit = self._clock() - FORGET_AFTER
        for shop, board in tuple(self._board.items()):
            silent = []
            for who, sightings in board.items():
                if sightings[-1].at >= limit:
                    break
                silent += [Seen(sighting.source, who, None) for sighting in sightings]
            for seen in silent:
                self._bus.publish(shop, seen)
