"""A process ends at every single step of what it does, and another one finishes: one outcome, the
capacity right, no lock left. Once by an exception that stops everything, once by kill -9."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service.coordinator import places
from server.service.coordinator.load import LocalLoad
from server.service.coordinator.locks import SEGMENTS, LocalLocks
from server.service.coordinator.redis_load import RedisLoad
from server.service.coordinator.redis_locks import RedisLocks
from storage.memory import MemoryDirectory, MemoryLog
from storage.memory_journal import MemoryJournal
from storage.open import open_storage
from storage.redis import connect
from tests.server.service.coordinator.world import (
    ANN,
    BOB,
    SHOP,
    Crash,
    Fuse,
    Ground,
    Process,
    recovered,
)
from tests.support.redis import RedisServer
from transport.uuid7 import uuid7

LEASE = 0.1
CAPACITY = 2

Prepare = Callable[[Process, Caller], Awaitable[UUID]]
Act = Callable[[Process, Caller, UUID, UUID], Awaitable[object]]


async def waiting(process: Process, agent: Caller) -> UUID:
    """The agent has one place left, and somebody waits."""
    await process.assign(agent, await process.write())
    return await process.write()


async def crowded(process: Process, agent: Caller) -> UUID:
    """The agent has no place left."""
    for _ in range(CAPACITY):
        await process.assign(agent, await process.write())
    return await process.write()


async def stale(process: Process, agent: Caller) -> UUID:
    """The agent has a place left, which the load does not know yet."""
    chat = await crowded(process, agent)
    closed = await process.write()
    await process.ground.employ(agent, None)
    await process.assign(agent, closed)
    await process.conversations.flush()
    await process.ground.employ(agent, CAPACITY)
    await process.ground.load.hold(agent.id, closed, 2)
    await process.set_status(closed, "closed")
    held = (await process.ground.load.taken(agent.id)).held
    await process.set_status(next(iter(held.keys() - {closed})), "closed")
    return chat


async def claim(process: Process, agent: Caller, chat: UUID, id: UUID) -> object:
    return await process.assign(agent, chat, id)


SCENES = {"a claim": waiting, "a refusal": crowded, "a claim behind a stale load": stale}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the dead hold is not waited for: it will not change before somebody recovers."""
    monkeypatch.setattr(places, "PATIENCE", 0.05)


async def crash_and_recover(
    ground: Ground, agent: Caller, prepare: Prepare, fuse: Fuse, wait: Callable[[], Awaitable[None]]
) -> None:
    """Claim with a fuse; then have another process recover, and look at everything."""
    await ground.employ(agent, CAPACITY)
    async with Process(ground) as before:
        chat = await prepare(before, agent)
    id = uuid7()
    async with Process(ground, fuse, lease=LEASE) as process:
        try:
            await claim(process, agent, chat, id)
        except (Crash, Refusal, asyncio.CancelledError):
            pass
    await wait()
    await check(ground, agent, chat, id)


async def said(asking: Awaitable[object]) -> object:
    try:
        return await asking
    except Refusal as refusal:
        return refusal


async def check(ground: Ground, agent: Caller, chat: UUID, id: UUID) -> None:
    async with Process(ground, lease=LEASE) as process:
        # Others do not wait for the recovery: they take what places they can get.
        for _ in range(CAPACITY + 1):
            await said(process.assign(agent, await process.write()))
        await recovered(process)
        assert await open_ones(process, agent) <= CAPACITY
        await no_lock_is_left(ground)
        assigned = [e for e in await ground.entries(chat) if e.kind == "assignment"]
        assert len(assigned) <= 1
        await the_capacity_is_right(process, agent)
        if assigned:
            assert await process.assign(agent, chat, id) == assigned[0], "the same outcome"
        assert len(await ground.journal.unfinished(older_than=2**63 - 1)) == 0


async def no_lock_is_left(ground: Ground) -> None:
    async with asyncio.timeout(5):
        for segment in range(SEGMENTS):
            while (lease := await ground.locks.acquire(segment, seconds=LEASE)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            assert await ground.locks.release(lease)


async def the_capacity_is_right(process: Process, agent: Caller) -> None:
    """Exactly as many more can be assigned as there are places."""
    mine = await open_ones(process, agent)
    for _ in range(CAPACITY - mine):
        await process.assign(agent, await process.write())
    with pytest.raises(Refusal) as caught:
        await process.assign(agent, await process.write())
    assert caught.value.code is Code.AT_CAPACITY
    assert await open_ones(process, agent) == CAPACITY


async def open_ones(process: Process, agent: Caller) -> int:
    """How many open conversations the agent has, by the logs."""
    await process.conversations.flush()
    rows = await process.ground.directory.list_conversations(SHOP, limit=1_000)
    known = await process.conversations.catch_up(rows)
    return sum(one.holder == agent.id for one in known)


@pytest.mark.parametrize("forgets", [False, True], ids=["", "and the load is lost"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES)
async def test_an_exception_at_every_step(scene: str, after: bool, forgets: bool):
    steps: list[str] = []
    for at in itertools.count():
        clock = _Clock()
        journal = MemoryJournal()
        locks, load = LocalLocks(journal, clock), LocalLoad(time.monotonic)
        ground = Ground(MemoryLog(), MemoryDirectory(), journal, locks, load)
        await ground.populate()
        fuse = Fuse(at, after=after)

        async def wait(clock: _Clock = clock, load: LocalLoad = load) -> None:
            clock.now += 1_000
            if forgets:
                load._agents.clear()

        await crash_and_recover(ground, ANN, SCENES[scene], fuse, wait)
        await ground.log.close()
        steps = fuse.steps
        if not fuse.blown:
            break
    assert len(steps) > 8, steps
    assert {"MemoryJournal.put", "LocalLoad.keep", "LocalLocks.release"} <= set(steps)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.crash
@pytest.mark.parametrize("scene", ["a claim", "a claim behind a stale load"])
def test_killed_at_every_step(
    tmp_path: Path, redis_server: RedisServer, redis_prefix: str, scene: str
):
    """Real processes, on a real file and a real Redis, which keep what the dead had of them."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    for at in itertools.count():
        agent, id = Caller(Role.AGENT, uuid7(), SHOP), uuid7()
        chat = asyncio.run(_with_ground(url, redis_server, redis_prefix, _set, agent, scene))
        died = _in_a_process(
            lambda at=at, agent=agent, chat=chat, id=id: _with_ground(
                url, redis_server, redis_prefix, _claim_and_die, agent, chat, id, at
            )
        )
        asyncio.run(_with_ground(url, redis_server, redis_prefix, check, agent, chat, id))
        if not died:
            break
    assert at > 8


async def _with_ground(
    url: str,
    server: RedisServer,
    prefix: str,
    work: Callable[..., Awaitable[object]],
    *args: object,
) -> object:
    storage, redis = open_storage(url), connect(server.unix_url)
    assert storage.journal is not None
    locks = RedisLocks(redis, storage.journal, prefix)
    ground = Ground(
        storage.log, storage.directory, storage.journal, locks, RedisLoad(redis, prefix)
    )
    try:
        return await work(ground, *args)
    finally:
        await redis.aclose()
        await storage.close()


async def _set(ground: Ground, agent: Caller, scene: str) -> UUID:
    await ground.populate()
    await ground.employ(agent, CAPACITY)
    async with Process(ground) as process:
        chat = await SCENES[scene](process, agent)
        await process.conversations.flush()
        return chat


async def _claim_and_die(ground: Ground, agent: Caller, chat: UUID, id: UUID, at: int) -> None:
    async def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async with Process(ground, Fuse(at, end=die), lease=LEASE) as process:
        try:
            await claim(process, agent, chat, id)
        except Refusal:
            pass


def _in_a_process(work: Callable[[], Awaitable[object]]) -> bool:
    """Run it in a child; whether the child was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(work())  # type: ignore[arg-type]
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


async def test_answers_that_get_lost(redis_server: RedisServer, redis_prefix: str):
    """Every answer on the way gets lost once, after it was done: an error where it was a yes."""

    async def lost() -> None:
        raise ConnectionError("the answer got lost")

    redis = connect(redis_server.unix_url)
    journal = MemoryJournal()
    locks = RedisLocks(redis, journal, redis_prefix)
    ground = Ground(MemoryLog(), MemoryDirectory(), journal, locks, RedisLoad(redis, redis_prefix))
    await ground.populate()
    for at in itertools.count():
        agent = Caller(Role.AGENT, uuid7(), SHOP)
        await ground.employ(agent, CAPACITY)
        async with Process(ground) as before:
            chat = await waiting(before, agent)
        id, fuse = uuid7(), Fuse(at, after=True, end=lost)
        async with Process(ground, fuse, lease=LEASE) as process:
            told = await said(claim(process, agent, chat, id))
            if isinstance(told, Refusal):
                assert told.retry_after is not None
            else:
                assert [told] == [e for e in await ground.entries(chat) if e.kind == "assignment"]
        await check(ground, agent, chat, id)
        if len(fuse.steps) <= at:
            break
    await redis.aclose()
    await ground.log.close()


async def in_memory() -> Ground:
    """Everything in one process; both agents take one conversation."""
    journal = MemoryJournal()
    ground = Ground(
        MemoryLog(),
        MemoryDirectory(),
        journal,
        LocalLocks(journal, time.monotonic),
        LocalLoad(time.monotonic),
    )
    await ground.populate()
    for caller in (ANN, BOB):
        await ground.employ(caller, 1)
    return ground


async def test_two_coordinators_at_once_on_one_conversation():
    ground = await in_memory()
    async with Process(ground) as one, Process(ground) as two:
        for _ in range(20):
            chat, id = await one.write(), uuid7()
            first, second = await asyncio.gather(
                one.assign(ANN, chat, id), two.assign(ANN, chat, id)
            )
            assert first == second
            await asyncio.gather(one.assign(BOB, chat, by=BOB), two.assign(ANN, chat, by=ANN))
            assignee = await ground.assignee(chat)
            loads = {who: await ground.load.taken(who.id) for who in (ANN, BOB)}
            for caller, taken in loads.items():
                assert not taken.kept
                if caller.who == assignee:
                    assert chat in taken.held
            await one.set_status(chat, "closed")
    await ground.log.close()


async def test_a_record_of_a_kind_that_nobody_knows_is_left_alone():
    """As after a downgrade: it is not ours to decide."""
    ground = await in_memory()
    async with Process(ground) as process:
        chat, other = await process.write(), await process.write()
        await process.assign(ANN, chat)
        journal = ground.journal
        [done] = journal._records.values()
        strange = replace(done, id=uuid7(), kind="strange", key=other, state="committing")
        await journal.put(strange, expected=None)
        assert await process.coordinator.recover() == 0
        with pytest.raises(Refusal) as caught:
            await process.assign(BOB, other)
        assert caught.value.code is Code.BUSY
    await ground.log.close()
