"""Who is online: what this worker's sessions say, and what other workers said.

Every worker announces its own people when their sessions come or go, when another worker begins to
follow the shop and asks, and each of them again every ANNOUNCE_EVERY seconds, spread evenly over
that time. Everybody hears the announcements over the bus
and forgets what was not repeated for FORGET_AFTER seconds, so a killed worker's people go offline
by themselves.

What holds always: a person is online while any worker says so; announcing never waits.
May import: bus, domain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from uuid import UUID

from server.bus.base import Asked, Bus, Seen
from server.domain.people import Caller, Role

ANNOUNCE_EVERY = 20
"""Seconds between two announcements of somebody who is online."""
AT_ONCE = 500
"""People announced to a worker that asks; the others follow within ANNOUNCE_EVERY seconds."""
FORGET_AFTER = 50.0
"""Seconds after which somebody who is not announced any more is offline."""


class Presence:
    """The board of who is online. `clock` gives monotonic seconds."""

    def __init__(self, bus: Bus, source: UUID, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._source = source
        self._clock = clock
        self._mine: dict[tuple[str, str], list[str]] = {}
        """(shop, text id): the transports of the sessions here, the newest last."""
        self._board: dict[str, dict[str, dict[UUID, tuple[str, float]]]] = {}
        """shop: text id: worker: (transport, when last heard)."""

    def arrived(self, caller: Caller, transport: str) -> None:
        """A session of somebody began here."""
        self._mine.setdefault((caller.shop, caller.who), []).append(transport)
        self._announce(caller.shop, caller.who)

    def left(self, caller: Caller, transport: str) -> None:
        """A session of somebody ended here."""
        sessions = self._mine[caller.shop, caller.who]
        sessions.remove(transport)
        if not sessions:
            del self._mine[caller.shop, caller.who]
        self._announce(caller.shop, caller.who)

    def heard(self, shop: str, seen: Seen) -> str | None:
        """Take an announcement; returns the transport over which the person is online, if any."""
        workers = self._board.setdefault(shop, {}).setdefault(seen.who, {})
        workers.pop(seen.source, None)
        if seen.transport is not None:
            workers[seen.source] = (seen.transport, self._clock())
        if workers:
            return next(reversed(workers.values()))[0]
        del self._board[shop][seen.who]
        return None

    def ask(self, shop: str) -> None:
        """Ask the other workers who is online there."""
        self._bus.publish(shop, Asked(self._source))

    def asked(self, shop: str, by: Asked) -> None:
        """Tell another worker of the people here, the agents first: everybody sees those."""
        if by.source == self._source:
            return
        people = [who for place, who in self._mine if place == shop]
        people.sort(key=lambda who: not who.startswith(Role.AGENT.value))
        for who in islice(people, AT_ONCE):
            self._announce(shop, who)

    def online(self, shop: str) -> list[tuple[str, str]]:
        """Everybody who is online in the shop, with the transport."""
        people = self._board.get(shop, {})
        return [(who, next(reversed(w.values()))[0]) for who, w in people.items()]

    def forget(self, shop: str) -> None:
        """Nobody here listens to the shop any more: what is known of it grows stale."""
        self._board.pop(shop, None)

    async def run(self) -> None:
        """Announce a share of the people every second, and forget the silent, for ever."""
        turn = 0
        while True:
            await asyncio.sleep(1.0)
            turn = (turn + 1) % ANNOUNCE_EVERY
            for shop, who in list(self._mine):
                if hash(who) % ANNOUNCE_EVERY == turn:
                    self._announce(shop, who)
            self._expire()

    def _announce(self, shop: str, who: str) -> None:
        sessions = self._mine.get((shop, who))
        self._bus.publish(shop, Seen(self._source, who, sessions[-1] if sessions else None))

    def _expire(self) -> None:
        """Say of those who fell silent, in the name of their worker, that they are gone."""
        limit = self._clock() - FORGET_AFTER
        for shop, board in self._board.items():
            silent = [
                (who, source)
                for who, workers in board.items()
                for source, (_, at) in workers.items()
                if at < limit
            ]
            for who, source in silent:
                self._bus.publish(shop, Seen(source, who, None))
