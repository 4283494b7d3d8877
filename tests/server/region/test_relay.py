"""Two relays and a link between them that ends whenever it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import pytest
from msgspec import Raw

from server.region import messages, relay
from server.region.backlog import FIRST, MemoryBacklog
from server.region.messages import Declined, Greeting, Item, Passing, Want
from server.region.relay import Relay, load
from storage.base import Head, StoreUnavailable
from transport.errors import CloseCode, SessionClosed
from transport.links.memory import link_pair
from transport.memory import Network

PATIENCE = 10.0
CHATS = [UUID(int=n) for n in range(1, 4)]


def item(chat: UUID, number: int) -> Declined:
    """Any item of a conversation; `number` is its place in that."""
    return Declined(chat, "a:1", UUID(int=number), "code", "x" * 50)


class Store:
    """Takes items, and sometimes does not."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.failures = 0
        self.wants: list[Want] = []
        self.passed: list[Passing] = []

    async def take(self, region: str, items: Sequence[Item]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("not now")
        self.items += [one for one in items if one not in self.items]

    async def wanted(self, region: str, want: Want) -> None:
        self.wants.append(want)

    def passing(self, passing: Passing) -> None:
        self.passed.append(passing)

    def of(self, chat: UUID) -> list[int]:
        found = [one for one in self.items if isinstance(one, Declined)]
        return [one.client_id.int for one in found if one.conversation == chat]


class Region:
    def __init__(self, name: str, peer: str, now: int = 1000) -> None:
        self.store = Store()
        self.backlog = MemoryBacklog()
        self.relay = Relay(name, peer, self.backlog, self.store, lambda: now)

    async def say(self, *items: Item) -> None:
        assert await self.backlog.put([load(one) for one in items]) == len(items)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what it waits for is on the other side
            await asyncio.sleep(0.002)


async def empty(region: Region) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await region.backlog.depth()).items:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY", 0.01)
    monkeypatch.setattr(relay, "LONG_POLL", 0.05)


@pytest.fixture
def here() -> Region:
    return Region("cn", "eu")


@pytest.fixture
def there() -> Region:
    return Region("eu", "cn", now=64_000)


async def joined(here: Region, there: Region, seconds: float | None = None) -> None:
    """One link's life: cut after so many seconds, or when nothing waits any more."""
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        working = asyncio.gather(here.relay.serve(mine), there.relay.serve(theirs))
        if seconds is None:
            await empty(here)
            await empty(there)
        else:
            await asyncio.sleep(seconds)
        mine.close(CloseCode.GOING_AWAY)
        await working


async def test_items_cross_both_ways_and_leave_the_backlogs(here: Region, there: Region) -> None:
    await here.say(*(item(CHATS[n % 3], n) for n in range(30)))
    await there.say(*(item(CHATS[0], n) for n in range(10)))
    await joined(here, there)
    for n, chat in enumerate(CHATS):
        assert there.store.of(chat) == list(range(n, 30, 3))
    assert here.store.of(CHATS[0]) == list(range(10))
    assert (here.relay.sent, there.relay.received) == (30, 30)


async def test_links_that_end_lose_and_swap_nothing(here: Region, there: Region) -> None:
    await here.say(*(item(CHATS[n % 3], n) for n in range(900)))
    for moment in range(12):
        await joined(here, there, seconds=0.001 * moment)
    await joined(here, there)
    for n, chat in enumerate(CHATS):
        assert there.store.of(chat) == list(range(n, 900, 3))


async def test_a_store_that_fails_is_tried_until_it_takes(here: Region, there: Region) -> None:
    there.store.failures = 5
    await here.say(*(item(CHATS[0], n) for n in range(5)))
    await joined(here, there)
    assert there.store.of(CHATS[0]) == list(range(5))
    assert there.store.failures == 0


async def test_few_are_under_way(
    here: Region, there: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "UNDER_WAY", 10)
    there.store.failures = 10**9
    await here.say(*(item(CHATS[0], n) for n in range(50)))
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        working = asyncio.gather(here.relay.serve(mine), there.relay.serve(theirs))
        await until(lambda: here.relay.sent == 10)
        await asyncio.sleep(0.05)
        assert here.relay.sent == 10
        there.store.failures = 0
        await empty(here)
        mine.close(CloseCode.GOING_AWAY)
        await working
    assert there.store.of(CHATS[0]) == list(range(50))


async def test_what_only_matters_now_is_told_while_there_is_a_link(
    here: Region, there: Region
) -> None:
    passing, want = Passing("zebra", Raw(messages.encode([0]))), Want(CHATS[0], Head(1, 4))
    here.relay.tell(passing)
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        working = asyncio.gather(here.relay.serve(mine), there.relay.serve(theirs))
        await until(lambda: here.relay.skew is not None)
        here.relay.tell(passing)
        here.relay.tell(want)
        await until(lambda: there.store.wants)
        mine.close(CloseCode.GOING_AWAY)
        await working
    assert (there.store.passed, there.store.wants) == ([passing], [want])


async def test_a_difference_of_clocks_is_known(here: Region, there: Region) -> None:
    await here.say(item(CHATS[0], 1))
    await joined(here, there)
    assert (here.relay.skew, there.relay.skew) == (63_000, -63_000)


async def test_a_newer_link_ends_the_older_one(here: Region, there: Region) -> None:
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        working = asyncio.gather(here.relay.serve(mine), there.relay.serve(theirs))
        await until(lambda: here.relay.skew is not None)
        await here.say(item(CHATS[0], 1))
        await joined(here, there)
        async with asyncio.timeout(PATIENCE):
            await working
    assert there.store.of(CHATS[0]) == [1]


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (Greeting(9, "eu", 0), "version"),
        (Greeting(1, "br", 0), "calls itself"),
        (Want(uuid4(), Head(1, 1)), "no greeting"),
    ],
)
async def test_one_that_does_not_fit_is_told_so(
    here: Region, greeting: messages.Message, reason: str
) -> None:
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        serving = asyncio.ensure_future(here.relay.serve(mine))
        theirs.send(b"", messages.encode(greeting))
        await theirs.receive()
        with pytest.raises(SessionClosed, match=reason) as closed:
            await theirs.receive()
        assert closed.value.code == CloseCode.PROTOCOL_ERROR
        await serving


async def test_rubbish_ends_the_link_and_harms_nothing(here: Region, there: Region) -> None:
    async with link_pair(Network(), ("cn", "eu")) as (mine, theirs):
        serving = asyncio.ensure_future(here.relay.serve(mine))
        theirs.send(b"", messages.encode(Greeting(1, "eu", 0)))
        theirs.send(b"", b"\xc1 rubbish")
        async with asyncio.timeout(PATIENCE):
            await serving
    await here.say(item(CHATS[0], 1))
    await joined(here, there)
    assert there.store.of(CHATS[0]) == [1]
    assert await here.backlog.read(FIRST, limit=1) == []
