"""Who is online in a region of several hosts: kept in Redis, and announced when it changes.

Nobody is announced again over the bus. Each worker keeps its own people in Redis (register.py), and
a board of everybody in the shops it follows. From the board it tells its own sessions again what
they would forget. Every CHECK seconds it compares digests with Redis: what differs twice in a row,
because the bus lost an event, is read anew; whose digest is gone for GRACE seconds has died.

What holds always: a worker that begins to follow a shop reads who is there, and asks nobody; while
Redis does not answer nobody is forgotten; what was heard while something was read is newer than it.
After FLUSHALL the boards stay as they are, and Redis is full again after the next refresh.
May import: bus, domain, board, online, register; redis of storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from uuid import UUID

from msgspec import Struct

from server.bus.base import Asked, Bus, Seen
from server.domain.people import Caller
from server.live.board import NOBODY, Board, Digest, is_agent
from server.live.online import ANNOUNCE_EVERY, TOGETHER, Counts
from server.live.register import Register
from storage.redis import Redis

SLICES = 20
"""Parts of a round of repetitions, so that they spread over its time."""


class Pace(Struct, frozen=True):
    """Seconds. A dead worker's people go offline after `lapse` + `check` + `grace`, which is
    FORGET_AFTER; who lives is missing in an emptied Redis for `refresh`, and not taken for dead."""

    refresh: float = 9.0
    lapse: float = 27.0
    check: float = 8.0
    grace: float = 15.0
    repeat: float = ANNOUNCE_EVERY


class _Doubt(Struct):
    """What is wrong with what a worker says of a shop."""

    differs: bool = False
    """Its digest was another than the board's, the last time."""
    absent: float | None = None
    """Since when it has been missing in Redis."""


_Place = tuple[str, UUID]
"""(shop, worker)."""


class SharedPresence:
    """See Online. `source` names this worker, `clock` gives monotonic seconds."""

    def __init__(
        self,
        bus: Bus,
        source: UUID,
        clock: Callable[[], float],
        redis: Redis,
        prefix: str = "tw:live:",
        pace: Pace | None = None,
    ) -> None:
        self.tell: Callable[[str, Seen], object] = self.heard
        self._bus = bus
        self._source = source
        self._clock = clock
        self._pace = pace or Pace()
        self._register = Register(redis, prefix, source, self._pace.lapse)
        self._board = Board()
        self._sessions: dict[tuple[str, str], tuple[str, ...]] = {}
        """The transports of the sessions here, the newest last, by shop and text id."""
        self._doubts: dict[str, dict[UUID, _Doubt]] = {}
        """Of the shops that are followed, and of the workers whose word is in doubt."""
        self._new: list[str] = []
        """Shops that are followed since a moment ago."""
        self._asked = asyncio.Event()
        self._news: dict[_Place, set[str]] = {}
        """Of what is being read: who was heard of meanwhile."""

    @property
    def errors(self) -> int:
        """Calls to Redis that failed."""
        return self._register.errors

    def arrived(self, caller: Caller, transport: str) -> None:
        """See Online."""
        person = (caller.shop, caller.who)
        self._sessions[person] = (*self._sessions.get(person, ()), transport)
        self._announce(*person)

    def left(self, caller: Caller, transport: str) -> None:
        """See Online."""
        person = (caller.shop, caller.who)
        sessions = list(self._sessions.pop(person))
        sessions.remove(transport)
        if sessions:
            self._sessions[person] = tuple(sessions)
        self._announce(*person)

    def heard(self, shop: str, seen: Seen) -> str | None:
        """See Online."""
        if (news := self._news.get((shop, seen.source))) is not None:
            news.add(seen.who)
        self._board.hear(shop, seen.source, seen.who, seen.transport)
        return self.transport(shop, seen.who)

    def ask(self, shop: str) -> None:
        """See Online. It is read within moments; the bus brings what changes from now on."""
        self._doubts[shop] = {}
        self._new.append(shop)
        self._asked.set()

    def asked(self, shop: str, by: Asked) -> None:
        """See Online. Who asks reads the answer in Redis."""

    def transport(self, shop: str, who: str) -> str | None:
        """See Online."""
        last = self._board.last(shop, who)
        return None if last is None else last[1]

    def online(self, shop: str) -> Iterator[tuple[str, str]]:
        """See Online."""
        return self._board.online(shop)

    def agents(self, shop: str) -> list[tuple[str, str]]:
        """See Online."""
        return self._board.agents(shop)

    def counts(self, shop: str) -> Counts:
        """See Online."""
        agents = len(self._board.agents(shop))
        return Counts(self._board.number(shop) - agents, agents)

    def forget(self, shop: str) -> None:
        """See Online."""
        self._doubts.pop(shop, None)
        self._board.forget(shop)

    async def run(self) -> None:
        """See Online."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._register.run(self._pace.refresh))
            tasks.create_task(self._repeat())
            tasks.create_task(self._check())

    def _announce(self, shop: str, who: str) -> None:
        sessions = self._sessions.get((shop, who))
        transport = sessions[-1] if sessions else None
        self._register.put(shop, who, transport)
        self._bus.publish(shop, Seen(self._source, who, transport))

    async def _repeat(self) -> None:
        """Tell the sessions here of everybody again, in every round."""
        while True:
            people = [(shop, who) for shop in self._doubts for who, _ in self._board.online(shop)]
            share = -(-len(people) // SLICES)
            for part in range(SLICES):
                await asyncio.sleep(self._pace.repeat / SLICES)
                for number, (shop, who) in enumerate(people[part * share : (part + 1) * share], 1):
                    if last := self._board.last(shop, who):
                        self.tell(shop, Seen(last[0], who, last[1]))
                    if number % TOGETHER == 0:
                        await asyncio.sleep(0)

    async def _check(self) -> None:
        """Read shops that are new here at once, and compare all of them now and then."""
        due = self._clock() + self._pace.check
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(due - self._clock(), 0)):
                    await self._asked.wait()
            self._asked.clear()
            new, self._new = self._new, []
            if new and not await self._compare(new, at_once=True):
                self._new += new  # Tried again with the next.
            if self._clock() >= due:
                due = self._clock() + self._pace.check
                await self._compare(tuple(self._doubts))

    async def _compare(self, shops: Sequence[str], at_once: bool = False) -> bool:
        """Hold the board against Redis. Whether Redis answered."""
        told = await self._register.digests(shops)
        if told is None:
            return False
        for shop, digests in told.items():
            digests[self._source], _ = self._register.mine(shop)
            for source in {**digests, **self._board.digests(shop)}:
                if shop in self._doubts:  # Still followed.
                    await self._judge(shop, source, digests.get(source), at_once)
        return True

    async def _judge(self, shop: str, source: UUID, digest: Digest | None, at_once: bool) -> None:
        """Whether the board has what the worker says of the shop, and set it right if not."""
        doubt = self._doubts[shop].setdefault(source, _Doubt())
        if digest is None:
            doubt.absent = self._clock() if doubt.absent is None else doubt.absent
            if self._clock() - doubt.absent >= self._pace.grace:
                del self._doubts[shop][source]
                await self._align(shop, source, gone=True)
            return
        doubt.absent = None
        if digest == self._board.digests(shop).get(source, NOBODY):
            self._doubts[shop].pop(source)
        elif doubt.differs or at_once:
            await self._align(shop, source)
        else:
            doubt.differs = True

    async def _align(self, shop: str, source: UUID, gone: bool = False) -> None:
        """Make the board say what the worker says, a few people in each turn of the loop."""
        news = self._news[shop, source] = set()
        try:
            people: dict[str, str] | None = {}
            if source == self._source:
                people = dict(self._register.mine(shop)[1])
            elif not gone:
                people = await self._register.people(shop, source)
            if people is None:
                return
            board = self._board.told_by(shop, source)
            differ = [who for who in {**board, **people} if board.get(who) != people.get(who)]
            differ.sort(key=is_agent, reverse=True)
            for number, who in enumerate(differ, 1):
                if who not in news and shop in self._doubts:
                    self.tell(shop, Seen(source, who, people.get(who)))
                if number % TOGETHER == 0:
                    await asyncio.sleep(0)
        finally:
            del self._news[shop, source]
