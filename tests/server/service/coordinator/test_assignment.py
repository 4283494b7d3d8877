"""Assignment against capacity, in one process: who gets a place, and who is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.domain.people import Caller
from server.domain.refusal import Code, Refusal
from server.service.coordinator.load import LocalLoad
from server.service.coordinator.locks import LocalLocks
from storage.open import open_storage
from tests.server.service.coordinator.world import ANN, BOB, Ground, Process
from transport.uuid7 import uuid7
from transport.wire.codec import pack


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    storage = open_storage(f"sqlite:///{tmp_path / 'shop.db'}")
    assert storage.journal is not None
    locks = LocalLocks(storage.journal, time.monotonic)
    load = LocalLoad(time.monotonic)
    ground = Ground(storage.log, storage.directory, storage.journal, locks, load)
    await ground.populate()
    yield ground
    await storage.close()


@pytest.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    async with Process(ground) as process:
        yield process


async def refused(process: Process, to: Caller, conversation: object, **more: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await process.assign(to, conversation, **more)  # type: ignore[arg-type]
    return caught.value


async def test_without_a_capacity_nothing_is_coordinated(ground: Ground, process: Process):
    for _ in range(5):
        await process.assign(ANN, await process.write())
    assert not [step for step in process.fuse.steps if "Locks" in step or "Journal" in step]


async def test_as_many_as_the_capacity(ground: Ground, process: Process):
    await ground.employ(ANN, 2)
    chats = [await process.write() for _ in range(3)]
    for chat in chats[:2]:
        entry = await process.assign(ANN, chat)
        assert (entry.kind, entry.seq) == ("assignment", 2)
    refusal = await refused(process, ANN, chats[2])
    assert (refusal.code, refusal.retry_after) == (Code.AT_CAPACITY, None)
    assert "2 open conversations" in refusal.message
    assert len(await ground.entries(chats[2])) == 1
    assert (await process.assign(BOB, chats[2])).seq == 2


async def test_at_the_same_moment(ground: Ground, process: Process):
    await ground.employ(ANN, 3)
    chats = [await process.write() for _ in range(10)]
    told = await asyncio.gather(
        *(process.assign(ANN, chat) for chat in chats), return_exceptions=True
    )
    refusals = [one for one in told if isinstance(one, Refusal)]
    assert {refusal.code for refusal in refusals} == {Code.AT_CAPACITY}
    assert len(refusals) == 7
    assert len(await ground.having(ANN, chats)) == 3


async def test_two_agents_take_the_same_one(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    await ground.employ(BOB, 1)
    chat, other = await process.write(), await process.write()
    await asyncio.gather(process.assign(ANN, chat, by=ANN), process.assign(BOB, chat, by=BOB))
    assignee = await ground.assignee(chat)
    free, full = (BOB, ANN) if assignee == ANN.who else (ANN, BOB)
    await refused(process, full, other)
    await process.assign(free, other)


@pytest.mark.parametrize("how", ["close", "reassign", "take away"])
async def test_a_place_is_free_again(ground: Ground, process: Process, how: str):
    await ground.employ(ANN, 1)
    chat, other = await process.write(), await process.write()
    await process.assign(ANN, chat)
    await refused(process, ANN, other)
    if how == "close":
        await process.set_status(chat, "closed")
    else:
        await process.assign(BOB if how == "reassign" else None, chat)
    await process.assign(ANN, other)
    await refused(process, ANN, await process.write())


async def test_the_same_again_takes_no_second_place(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    chat, id = await process.write(), uuid7()
    first = await process.assign(ANN, chat, id)
    assert await process.assign(ANN, chat, id) == first
    await process.assign(ANN, chat)
    assert len(await ground.entries(chat)) == 3


async def test_a_resend_is_answered_though_the_agent_is_full_by_now(
    ground: Ground, process: Process
):
    await ground.employ(ANN, 1)
    chat, other, id = await process.write(), await process.write(), uuid7()
    first = await process.assign(ANN, chat, id)
    await process.assign(BOB, chat)
    await process.assign(ANN, other)
    assert await process.assign(ANN, chat, id) == first
    assert await ground.assignee(chat) == BOB.who
    await refused(process, ANN, chat)


async def test_the_same_id_for_something_else(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    await ground.employ(BOB, 1)
    chat, id = await process.write(), uuid7()
    await process.assign(ANN, chat, id)
    assert (await refused(process, BOB, chat, client_id=id)).code is Code.CONFLICT
    await process.chat.send(ANN, (note := uuid7()), chat, "note", pack({"text": "n"}))
    other = await process.write()
    await process.chat.send(ANN, note, other, "note", pack({"text": "n"}))
    assert (await refused(process, BOB, other, client_id=note)).code is Code.CONFLICT
    await process.assign(BOB, other)


async def test_who_was_refused_may_ask_again(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    chat, other, id = await process.write(), await process.write(), uuid7()
    await process.assign(ANN, chat)
    await refused(process, ANN, other, client_id=id)
    await process.set_status(chat, "closed")
    assert (await process.assign(ANN, other, id)).seq == 2


async def test_opening_again_takes_a_place(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    chat, other = await process.write(), await process.write()
    await process.assign(ANN, chat)
    await process.set_status(chat, "closed")
    await process.assign(ANN, other)
    with pytest.raises(Refusal) as caught:
        await process.set_status(chat, "open", by=BOB)
    assert caught.value.code is Code.AT_CAPACITY
    await process.set_status(other, "closed")
    await process.set_status(chat, "open", by=BOB)
    await refused(process, ANN, other)


async def test_a_visitor_comes_back_to_their_agent(ground: Ground, process: Process):
    """From app and web at once: let in over the capacity, and counted once."""
    await ground.employ(ANN, 2)
    chat, other = await process.write(), await process.write()
    await process.assign(ANN, chat)
    await process.set_status(chat, "closed")
    await process.assign(ANN, other)
    await asyncio.gather(process.write(chat), process.write(chat))
    await process.conversations.flush()
    await refused(process, ANN, await process.write())
    await process.set_status(other, "closed")
    await process.assign(ANN, await process.write())
    await refused(process, ANN, await process.write())


async def test_a_capacity_that_is_set_later_counts_what_there_is(ground: Ground, process: Process):
    chats = [await process.write() for _ in range(3)]
    for chat in chats:
        await process.assign(ANN, chat)
    await process.conversations.flush()
    await ground.employ(ANN, 3)
    await refused(process, ANN, await process.write())
    await process.set_status(chats[0], "closed")
    await process.assign(ANN, await process.write())


async def test_a_load_that_was_lost_is_made_again(ground: Ground, process: Process):
    await ground.employ(ANN, 2)
    for _ in range(2):
        await process.assign(ANN, await process.write())
    ground.load._agents.clear()  # type: ignore[attr-defined]
    await refused(process, ANN, await process.write())


async def test_another_process_knows_the_load(ground: Ground, process: Process):
    """Nothing is flushed by hand: what was accepted is in the directory."""
    await ground.employ(ANN, 2)
    for _ in range(2):
        await process.assign(ANN, await process.write())
    alone = Ground(
        ground.log,
        ground.directory,
        ground.journal,
        LocalLocks(ground.journal, time.monotonic),
        LocalLoad(time.monotonic),
    )
    async with Process(alone) as restarted:
        await refused(restarted, ANN, await restarted.write())


async def test_who_asked_may_go_away(ground: Ground, process: Process):
    await ground.employ(ANN, 1)
    chat = await process.write()
    asking = asyncio.create_task(process.assign(ANN, chat))
    async with asyncio.timeout(5):
        while "SQLiteJournal.put" not in process.fuse.steps:  # noqa: ASYNC110
            await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(5):
        while await ground.assignee(chat) != ANN.who:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await ground.assignee(chat) == ANN.who
