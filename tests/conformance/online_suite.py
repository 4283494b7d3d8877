"""What everything that knows who is online must do. Subclass OnlineSuite and give it a `region`.

Its times are those of the implementation, made short: a `region` says how long a round of
announcements takes, and after which time the people of a dead worker must be offline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from server.bus.base import Asked, Bus, Event, Seen
from server.domain.people import Caller, Role
from server.live.online import Counts, Online

SHOP = "shop"


def visitor(n: int, shop: str = SHOP) -> Caller:
    return Caller(Role.VISITOR, UUID(int=n), shop)


def agent(n: int, shop: str = SHOP) -> Caller:
    return Caller(Role.AGENT, UUID(int=n), shop)


class Worker:
    """One process: it follows shops as the hub does, and keeps what it was told."""

    def __init__(self, bus: Bus, presence: Online) -> None:
        self.bus = bus
        self.presence = presence
        self.told: list[Seen] = []
        presence.tell = self.hear
        self._running: asyncio.Task[None] | None = None
        self._receivers: dict[str, Callable[[Event], None]] = {}

    def start(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self.presence.run())

    async def follow(self, shop: str = SHOP) -> None:
        self._receivers[shop] = lambda event: self.hear(shop, event)
        await self.bus.subscribe(shop, self._receivers[shop])
        self.presence.ask(shop)

    async def leave(self, shop: str = SHOP) -> None:
        await self.bus.unsubscribe(shop, self._receivers.pop(shop))
        self.presence.forget(shop)

    def hear(self, shop: str, event: Event) -> None:
        if isinstance(event, Asked):
            self.presence.asked(shop, event)
        elif isinstance(event, Seen) and shop in self._receivers:
            self.told.append(event)
            self.presence.heard(shop, event)

    def online(self, shop: str = SHOP) -> dict[str, str]:
        return dict(self.presence.online(shop))

    async def kill(self) -> None:
        """It says nothing more, not even goodbye."""
        for shop in tuple(self._receivers):
            await self.bus.unsubscribe(shop, self._receivers.pop(shop))
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})


class Region(Protocol):
    """Workers that belong together."""

    round: float
    lapse: float

    async def worker(self) -> Worker:
        """One more, running; the fixture kills it in the end."""
        ...


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


class OnlineSuite:
    async def test_coming_and_going(self, region: Region) -> None:
        here, there = await region.worker(), await region.worker()
        for worker in (here, there):
            await worker.follow()
        here.presence.arrived(visitor(1), "quic")
        here.presence.arrived(agent(2), "websocket-h1")
        for worker in (here, there):
            await until(lambda worker=worker: len(worker.online()) == 2)
            assert worker.online() == {visitor(1).who: "quic", agent(2).who: "websocket-h1"}
            assert worker.presence.agents(SHOP) == [(agent(2).who, "websocket-h1")]
            assert worker.presence.counts(SHOP) == Counts(visitors=1, agents=1)
        here.presence.left(visitor(1), "quic")
        for worker in (here, there):
            await until(lambda worker=worker: len(worker.online()) == 1)
            assert worker.presence.transport(SHOP, visitor(1).who) is None
            assert worker.presence.counts(SHOP) == Counts(visitors=0, agents=1)

    async def test_the_newest_session_counts(self, region: Region) -> None:
        here = await region.worker()
        await here.follow()
        here.presence.arrived(visitor(1), "quic")
        here.presence.arrived(visitor(1), "websocket-h1")
        await until(lambda: here.online() == {visitor(1).who: "websocket-h1"})
        here.presence.left(visitor(1), "websocket-h1")
        await until(lambda: here.online() == {visitor(1).who: "quic"})

    async def test_somebody_is_online_while_any_worker_says_so(self, region: Region) -> None:
        here, there = await region.worker(), await region.worker()
        await here.follow()
        await there.follow()
        here.presence.arrived(visitor(1), "quic")
        await until(lambda: len(there.online()) == 1)
        there.presence.arrived(visitor(1), "websocket-h2")
        await until(lambda: here.online() == {visitor(1).who: "websocket-h2"})
        there.presence.left(visitor(1), "websocket-h2")
        await until(lambda: here.online() == {visitor(1).who: "quic"})
        here.presence.left(visitor(1), "quic")
        await until(lambda: not there.online())

    async def test_who_follows_later_learns_who_is_there_agents_first(self, region: Region) -> None:
        here = await region.worker()
        await here.follow()
        people = [*map(visitor, range(1, 250)), agent(300)]
        for person in people:
            here.presence.arrived(person, "quic")
        await until(lambda: len(here.online()) == len(people))
        await asyncio.sleep(0.1)
        there = await region.worker()
        await there.follow()
        await until(lambda: len(there.online()) == len(people))
        assert there.told[0].who == agent(300).who
        assert there.presence.counts(SHOP) == Counts(visitors=249, agents=1)

    async def test_shops_are_apart(self, region: Region) -> None:
        here = await region.worker()
        await here.follow("one")
        await here.follow("other")
        here.presence.arrived(visitor(1, "one"), "quic")
        here.presence.arrived(visitor(2, "other"), "quic")
        await until(lambda: len(here.online("other")) == 1)
        assert here.online("one") == {visitor(1).who: "quic"}
        assert here.online("other") == {visitor(2).who: "quic"}

    async def test_what_is_not_followed_is_forgotten(self, region: Region) -> None:
        here = await region.worker()
        await here.follow()
        here.presence.arrived(visitor(1), "quic")
        await until(lambda: len(here.online()) == 1)
        await here.leave()
        assert here.online() == {}
        assert here.presence.counts(SHOP) == Counts(0, 0)

    async def test_who_stays_is_told_again_and_not_forgotten(self, region: Region) -> None:
        here, there = await region.worker(), await region.worker()
        await here.follow()
        await there.follow()
        people = {visitor(n).who: "quic" for n in range(10)} | {agent(20).who: "quic"}
        for n in range(10):
            here.presence.arrived(visitor(n), "quic")
        there.presence.arrived(agent(20), "quic")
        await until(lambda: here.online() == there.online() == people)
        for worker in (here, there):
            for _ in range(2):
                worker.told.clear()
                await until(lambda worker=worker: {seen.who for seen in worker.told} == set(people))
                assert worker.online() == people
        await asyncio.sleep(region.lapse)
        assert here.online() == there.online() == people

    async def test_the_people_of_a_dead_worker_go_offline(self, region: Region) -> None:
        here, there = await region.worker(), await region.worker()
        await here.follow()
        await there.follow()
        here.presence.arrived(visitor(1), "quic")
        for worker in (here, there):
            worker.presence.arrived(visitor(2), "quic")
        there.presence.arrived(visitor(3), "quic")
        await until(lambda: len(there.online()) == 3)
        await here.kill()
        there.told.clear()
        await until(lambda: visitor(1).who not in there.online(), seconds=2 * region.lapse)
        assert Seen(here.presence._source, visitor(1).who, None) in there.told  # type: ignore[attr-defined]
        assert there.online() == {visitor(2).who: "quic", visitor(3).who: "quic"}
