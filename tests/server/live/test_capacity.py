"""A capacity, as people meet it: over real sessions."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from server.domain.capacity import with_capacity
from server.domain.people import Caller
from tests.server.conftest import Site
from transport.uuid7 import uuid7
from transport.wire.frames import Accepted, Refused


async def limit(site: Site, agent: Caller, capacity: int) -> None:
    directory = site.parts.storage.directory
    record = await directory.get_agent(agent.id)
    assert record is not None
    await directory.put_agent(replace(record, settings=with_capacity("{}", capacity)))


async def test_over_the_capacity_it_is_refused_in_words(site: Site) -> None:
    await limit(site, site.agent, 1)
    shopper, ann = await site.join(site.visitor), await site.join(site.agent)
    chats = [uuid7() for _ in range(3)]
    for chat in chats:
        await shopper.send(chat, text="hello")
    for chat in chats:
        ann.post(chat, "assignment", agent=site.agent.who)
    answers = [await ann.answer() for _ in chats]
    assert [type(answer) for answer in answers] == [Accepted, Refused, Refused]
    refused = answers[1]
    assert isinstance(refused, Refused)
    assert (refused.code, refused.retry_after) == ("at_capacity", None)
    assert refused.message == "ann has 1 open conversation already"
    await ann.send(chats[0], "status", status="closed")
    await ann.send(chats[1], "assignment", agent=site.agent.who)


async def test_two_sessions_at_once(site: Site) -> None:
    await limit(site, site.agent, 2)
    shopper = await site.join(site.visitor)
    sessions = [await site.join(site.agent) for _ in range(4)]
    chats = [uuid7() for _ in range(4)]
    for chat in chats:
        await shopper.send(chat, text="hello")
    for session, chat in zip(sessions, chats, strict=True):
        session.post(chat, "assignment", agent=site.agent.who)
    answers = await asyncio.gather(*(session.answer() for session in sessions))
    assert sum(isinstance(answer, Accepted) for answer in answers) == 2
