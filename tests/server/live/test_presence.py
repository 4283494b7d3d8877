import asyncio
from uuid import UUID

import pytest

from server.bus.base import Asked, Event, Seen
from server.bus.local import LocalBus
from server.domain.people import Caller, Role
from server.live import presence
from server.live.presence import FORGET_AFTER, TOGETHER, Presence

ME, OTHER = UUID(int=1), UUID(int=2)
VISITOR = Caller(Role.VISITOR, UUID(int=9), "shop")


class Board:
    """A presence with a clock of its own, listening to its own bus."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bus = LocalBus()
        self.presence = Presence(self.bus, ME, lambda: self.now)
        self.said: list[Seen] = []

    async def start(self) -> "Board":
        await self.bus.subscribe("shop", self.hear)
        return self

    def hear(self, event: Event) -> None:
        assert isinstance(event, Seen)
        self.said.append(event)
        self.presence.heard("shop", event)

    def online(self) -> dict[str, str]:
        return dict(self.presence.online("shop"))


async def test_coming_and_going_is_announced() -> None:
    board = await Board().start()
    board.presence.arrived(VISITOR, "webtransport")
    assert board.online() == {VISITOR.who: "webtransport"}
    board.presence.arrived(VISITOR, "websocket-h1")
    assert board.online() == {VISITOR.who: "websocket-h1"}
    board.presence.left(VISITOR, "websocket-h1")
    assert board.online() == {VISITOR.who: "webtransport"}
    board.presence.left(VISITOR, "webtransport")
    assert board.online() == {}
    assert [seen.transport for seen in board.said][-1] is None


async def test_somebody_is_online_while_any_worker_says_so() -> None:
    board = await Board().start()
    board.presence.arrived(VISITOR, "webtransport")
    assert board.presence.heard("shop", Seen(OTHER, VISITOR.who, "websocket-h2")) == "websocket-h2"
    assert board.presence.heard("shop", Seen(ME, VISITOR.who, None)) == "websocket-h2"
    assert board.presence.heard("shop", Seen(OTHER, VISITOR.who, None)) is None


async def test_a_worker_that_falls_silent_is_forgotten() -> None:
    board = await Board().start()
    board.presence.heard("shop", Seen(OTHER, VISITOR.who, "webtransport"))
    board.now = FORGET_AFTER - 1
    board.presence._expire()
    assert board.online() == {VISITOR.who: "webtransport"}
    board.now = FORGET_AFTER + 1
    board.presence._expire()
    assert board.online() == {}
    assert board.said == [Seen(OTHER, VISITOR.who, None)]


async def test_a_silent_worker_is_forgotten_of_somebody_whom_another_announces() -> None:
    board = await Board().start()
    board.presence.heard("shop", Seen(OTHER, VISITOR.who, "websocket-h2"))
    board.now = FORGET_AFTER + 1
    board.presence.heard("shop", Seen(ME, VISITOR.who, "webtransport"))
    board.presence._expire()
    assert board.online() == {VISITOR.who: "webtransport"}
    assert board.presence.heard("shop", Seen(ME, VISITOR.who, None)) is None


async def test_only_who_fell_silent_goes() -> None:
    board = await Board().start()
    silent, repeated, late = (Caller(Role.VISITOR, UUID(int=n), "shop").who for n in (11, 12, 13))
    for who in (silent, repeated):
        board.presence.heard("shop", Seen(OTHER, who, "quic"))
    board.now = FORGET_AFTER / 2
    for who in (late, repeated):
        board.presence.heard("shop", Seen(OTHER, who, "quic"))
    board.now = FORGET_AFTER + 1
    board.presence._expire()
    assert [seen.who for seen in board.said] == [silent]
    assert set(board.online()) == {repeated, late}
    assert board.presence.transport("shop", silent) is None
    assert board.presence.transport("shop", late) == "quic"


async def test_agents_are_known_apart() -> None:
    board = await Board().start()
    agent = Caller(Role.AGENT, UUID(int=8), "shop")
    board.presence.arrived(VISITOR, "webtransport")
    board.presence.arrived(agent, "websocket-h1")
    assert board.presence.agents("shop") == [(agent.who, "websocket-h1")]
    board.presence.left(agent, "websocket-h1")
    assert board.presence.agents("shop") == []
    assert board.presence.agents("other") == []


async def test_a_worker_that_asks_is_told_of_the_people_here_agents_first() -> None:
    board = await Board().start()
    agent = Caller(Role.AGENT, UUID(int=8), "shop")
    board.presence.arrived(VISITOR, "webtransport")
    board.presence.arrived(agent, "websocket-h1")
    board.presence.arrived(Caller(Role.AGENT, UUID(int=7), "other"), "websocket-h1")
    board.said.clear()
    board.presence.asked("shop", Asked(OTHER))
    assert [(seen.source, seen.who) for seen in board.said] == [
        (ME, agent.who),
        (ME, VISITOR.who),
    ]
    board.said.clear()
    board.presence.asked("shop", Asked(ME))
    assert board.said == []


async def test_everybody_is_announced_again_a_few_in_each_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "ANNOUNCE_EVERY", 1)
    board = await Board().start()
    people = [Caller(Role.VISITOR, UUID(int=n), "shop") for n in range(3 * TOGETHER)]
    for person in people:
        board.presence.arrived(person, "quic")
    board.said.clear()
    running = asyncio.ensure_future(board.presence.run())
    most = 0
    while (told := len(board.said)) < len(people):
        await asyncio.sleep(0)  # One turn, or more than a few would come between two looks.
        most = max(most, len(board.said) - told)
    running.cancel()
    assert {seen.who for seen in board.said} == {person.who for person in people}
    assert most <= TOGETHER
