from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from server.domain.people import Caller, Role
from server.live.follower import MAX_HELD, Follower
from transport.driver import Driver
from transport.errors import CloseCode, SessionClosed
from transport.memory import memory_pair
from transport.uuid7 import uuid7
from transport.wire.frames import (
    EMPTY,
    VERSION,
    Deliver,
    Frame,
    Hello,
    Received,
    Refused,
    Resumed,
    Welcome,
)

CHAT, OTHER = UUID(int=1), UUID(int=2)


def entry(seq: int, chat: UUID = CHAT, epoch: int = 1) -> Deliver:
    return Deliver(chat, epoch, seq, "a:x", UUID(int=seq), "message", EMPTY, 0)


def welcome(*resumed: Resumed) -> Welcome:
    return Welcome(VERSION, uuid7(), "v:x", 0, 25_000, resumed)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Driver, Follower]]:
    async with memory_pair() as (client, server):
        client.send(Hello(VERSION, "token"))
        await server.receive()
        yield client, Follower(server, Caller(Role.VISITOR, uuid7(), "shop"))


async def take(client: Driver, count: int) -> list[Frame]:
    return [await client.receive() for _ in range(count)]


async def test_nothing_comes_before_the_welcome(pair: tuple[Driver, Follower]) -> None:
    client, follower = pair
    follower.tell(Received(OTHER, 1, "v:x"))
    assert not follower.welcomed
    follower.welcome(welcome(), [], [])
    assert follower.welcomed
    assert [type(frame) for frame in await take(client, 2)] == [Welcome, Received]


async def test_between_replay_and_live_nothing_is_missed_or_doubled(
    pair: tuple[Driver, Follower],
) -> None:
    client, follower = pair
    for seq in (4, 5, 6, 7):  # Heard while the log was read up to 5.
        follower.tell(entry(seq))
    follower.tell(entry(1, OTHER))
    follower.welcome(welcome(Resumed(CHAT, 1, 5, True)), [entry(3), entry(4), entry(5)], [])
    follower.tell(entry(7))  # A bus that says it twice.
    follower.tell(entry(8))
    follower.tell(entry(1, epoch=2))
    got = [f for f in await take(client, 9) if isinstance(f, Deliver) and f.conversation == CHAT]
    assert [(f.epoch, f.seq) for f in got] == [(1, s) for s in (3, 4, 5, 6, 7, 8)] + [(2, 1)]


async def test_what_is_held_is_bounded(pair: tuple[Driver, Follower]) -> None:
    client, follower = pair
    for seq in range(1, MAX_HELD + 1):
        follower.tell(entry(seq))
    assert not follower.session.closed
    follower.tell(entry(MAX_HELD + 1))
    with pytest.raises(SessionClosed) as end:
        await client.receive()
    assert end.value.code == CloseCode.GOING_AWAY
    follower.welcome(welcome(), [], [])  # Says nothing to who has gone, and raises nothing.


async def test_a_frame_that_cannot_be_sent_ends_the_session(
    pair: tuple[Driver, Follower],
) -> None:
    client, follower = pair
    follower.welcome(welcome(), [], [])
    follower.tell(Refused("invalid", "x" * 70_000))
    await client.receive()
    with pytest.raises(SessionClosed) as end:
        await client.receive()
    assert end.value.code == CloseCode.INTERNAL
