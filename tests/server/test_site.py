"""A site of two hosts on one PostgreSQL and one Redis, as real processes: people on different hosts
talk, and go on talking whatever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import UUID

import msgspec
import pytest

from bench.load import meter
from bench.load.house import House, house
from bench.load.walk import settings
from server.demo import EMAIL
from tests.support.redis import RedisServer
from transport.client import Client, Refusal
from transport.client.entries import Entries
from transport.uuid7 import uuid7
from transport.wire.frames import Deliver, Frame, Presence, Typing

PATIENCE = 30.0
SECRET = "a secret that both hosts of the site have"


class Host:
    """A server, and the site's Redis."""

    def __init__(self, server: House, redis: RedisServer) -> None:
        self.server = server
        self.redis = redis

    def kill(self) -> None:
        for pid in meter.family(self.server.process.pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def hosts(
    postgres_url: str, own_redis: Callable[..., RedisServer]
) -> AsyncIterator[tuple[Host, Host]]:
    redis = own_redis()
    shared = {
        "TRADEWIND_DATABASE": postgres_url,
        "TRADEWIND_REDIS": redis.url,
        "TRADEWIND_SECRET": SECRET,
    }
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(house(settings=shared))
        other = await stack.enter_async_context(house(workers=2, settings=shared))
        yield Host(one, redis), Host(other, redis)


async def conversation(shopper: Person) -> UUID:
    chat = uuid7()
    await shopper.client.send(chat, "message", {"text": "hello?"})
    return chat


class Person:
    """A client, what it was delivered, and what it saw pass."""

    def __init__(self, client: Client, entries: Entries, frames: list[Frame]) -> None:
        self.client = client
        self.frames = frames
        self._entries = entries

    async def hears(self, count: int) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            return [text(await anext(self._entries)) for _ in range(count)]

    async def sees(self, wanted: Callable[[Frame], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(map(wanted, self.frames)):  # noqa: ASYNC110 - it comes from elsewhere
                await asyncio.sleep(0.02)


def text(entry: Deliver) -> str:
    return str(msgspec.msgpack.decode(entry.body)["text"])


async def person(stack: AsyncExitStack, host: Host, token: str) -> Person:
    async def mine(again: bool) -> str:
        return token

    frames: list[Frame] = []
    client = Client(settings(host.server.url), mine, on_frame=frames.append)
    await stack.enter_async_context(client)
    await client.ready()
    return Person(client, client.entries(), frames)


@pytest.mark.timeout(180)
async def test_people_on_two_hosts_talk_whatever_is_killed(hosts: tuple[Host, Host]) -> None:
    here, there = hosts
    async with AsyncExitStack() as stack:
        [token] = await here.server.visitors(1)
        agent = await person(stack, there, await there.server.agent())
        shopper = await person(stack, here, token)
        chat = uuid7()

        await shopper.client.send(chat, "message", {"text": "1"})
        assert await agent.hears(1) == ["1"]
        await agent.client.send(chat, "message", {"text": "2"})
        assert await shopper.hears(2) == ["1", "2"]
        assert await agent.hears(1) == ["2"]

        # What nobody keeps crosses hosts as well.
        await agent.sees(lambda f: isinstance(f, Presence) and f.who.startswith("v:"))
        agent.client.tell(Typing(chat, True))
        await shopper.sees(lambda f: isinstance(f, Typing) and f.on)

        # A host dies; what is said meanwhile waits for the shopper.
        here.kill()
        await agent.client.send(chat, "message", {"text": "3"})
        await here.server.restart()
        assert await shopper.hears(1) == ["3"]

        # Redis forgets everything, and then dies and comes back.
        here.redis.restart()
        await shopper.client.send(chat, "message", {"text": "4"})
        assert await agent.hears(2) == ["3", "4"]
        await agent.client.send(chat, "message", {"text": "5"})
        assert await shopper.hears(2) == ["4", "5"]
        page = msgspec.msgpack.decode(
            await agent.client.call("history", {"conversation": chat, "after": 0})
        )
        assert [entry[2] for entry in page["entries"]] == [1, 2, 3, 4, 5]


@pytest.mark.timeout(180)
async def test_an_agent_is_given_no_more_than_they_take_on(
    hosts: tuple[Host, Host], postgres_url: str
) -> None:
    """From sessions on both hosts at once."""
    here, there = hosts
    command = ("-c", "from server.cli import main; main()", "agent", "capacity", EMAIL, "2")
    limiting = await asyncio.create_subprocess_exec(
        *(sys.executable, *command, "--data-dir", str(here.server.folder / "data")),
        env={**os.environ, "TRADEWIND_DATABASE": postgres_url},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await limiting.wait() == 0
    async with AsyncExitStack() as stack:
        token = await there.server.agent()
        agents = [await person(stack, host, token) for host in (here, there)]
        shoppers = [
            await person(stack, host, visitor)
            for host in (here, there)
            for visitor in await host.server.visitors(3)
        ]
        chats = [await conversation(shopper) for shopper in shoppers]
        claims = (
            agents[number % 2].client.send(chat, "assignment", {"agent": agents[0].client.me})
            for number, chat in enumerate(chats)
        )
        async with asyncio.timeout(PATIENCE):
            told = await asyncio.gather(*claims, return_exceptions=True)
        refused = [one.code for one in told if isinstance(one, Refusal)]
        assert refused == ["at_capacity"] * 4, told

        # A place that is given back can be taken.
        given = next(
            chat for chat, one in zip(chats, told, strict=True) if not isinstance(one, Refusal)
        )
        left = next(chat for chat, one in zip(chats, told, strict=True) if isinstance(one, Refusal))
        await agents[0].client.send(given, "status", {"status": "closed"})
        async with asyncio.timeout(PATIENCE):
            await agents[1].client.send(left, "assignment", {"agent": agents[0].client.me})
