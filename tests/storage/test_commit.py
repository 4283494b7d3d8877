"""Group commit over a store that tells what happened to it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from storage.base import NotUnique, StoreBusy, StoreFull, StoreUnavailable
from storage.commit import Bounds, GroupCommit


class Notes:
    """Transactions over a list: what is committed is in `kept`. `gate` holds commits back."""

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.open: list[object] = []
        self.commits: list[int] = []
        self.threads: set[int] = set()
        self.full = False
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def begin(self) -> None:
        self.threads.add(threading.get_ident())
        self.open = []

    def commit(self) -> None:
        self.gate.wait()
        if self.full:
            raise StoreFull("no room")
        self.kept += self.open
        self.commits.append(len(self.open))

    def rollback(self) -> None:
        self.open = []

    def close(self) -> None:
        self.closed = True

    def add(self, what: object) -> object:
        self.open.append(what)
        return what


async def started(group: GroupCommit, notes: Notes, calls: int) -> list[asyncio.Task[object]]:
    """Hold the disk with a first call, and have `calls` more wait behind it."""
    notes.gate.clear()
    tasks = [asyncio.create_task(group.run(lambda n=n: notes.add(n))) for n in range(calls + 1)]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_goes_into_one_transaction():
    notes = Notes()
    group = GroupCommit(notes)
    tasks = await started(group, notes, 50)
    notes.gate.set()
    assert await asyncio.gather(*tasks) == list(range(51))
    assert notes.kept == list(range(51))
    assert len(notes.commits) <= 3
    assert len(notes.threads) == 1
    assert threading.get_ident() not in notes.threads
    await group.close()


async def test_a_transaction_is_bounded():
    notes = Notes()
    group = GroupCommit(notes, Bounds(batch_drafts=10))
    tasks = await started(group, notes, 50)
    notes.gate.set()
    await asyncio.gather(*tasks)
    assert max(notes.commits) == 10
    await group.close()


async def test_callers_resume_in_order():
    notes, resumed = Notes(), []
    group = GroupCommit(notes)

    async def call(n: int) -> None:
        resumed.append(await group.run(lambda: notes.add(n)))

    async with asyncio.TaskGroup() as tasks:
        for n in range(200):
            tasks.create_task(call(n))
    assert resumed == notes.kept == list(range(200))
    await group.close()


async def test_nobody_hears_of_success_before_the_commit():
    notes = Notes()
    group = GroupCommit(notes)
    [task] = await started(group, notes, 0)
    await asyncio.sleep(0.05)
    assert not task.done()
    notes.gate.set()
    assert await task == 0
    await group.close()


async def test_a_stalled_disk_fills_the_queue_and_then_refuses():
    notes = Notes()
    group = GroupCommit(notes, Bounds(waiting_drafts=8, waiting_bytes=100, retry_after=0.1))
    tasks = await started(group, notes, 5)
    with pytest.raises(StoreBusy) as refusal:
        await group.run(lambda: notes.add("too many"), drafts=3)
    assert refusal.value.retry_after == 0.1
    tasks.append(asyncio.create_task(group.run(lambda: notes.add(6), size=60)))
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await group.run(lambda: notes.add("too big"), size=41)
    notes.gate.set()
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4, 5, 6]
    assert await group.run(lambda: notes.add("later"), drafts=8, size=100) == "later"
    await group.close()


async def test_what_can_never_fit_is_a_mistake():
    group = GroupCommit(Notes(), Bounds(waiting_drafts=8, waiting_bytes=100))
    with pytest.raises(ValueError):
        await group.run(lambda: None, drafts=9)
    with pytest.raises(ValueError):
        await group.run(lambda: None, size=101)
    await group.close()


async def test_a_full_disk_fails_its_batch_and_heals():
    notes = Notes()
    group = GroupCommit(notes)
    notes.full = True
    tasks = await started(group, notes, 5)
    notes.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, StoreFull) for result in told)
    assert notes.kept == []
    notes.full = False
    assert await group.run(lambda: notes.add("room")) == "room"
    assert notes.kept == ["room"]
    await group.close()


async def test_bad_work_fails_alone():
    notes = Notes()
    group = GroupCommit(notes)

    def bad() -> None:
        notes.add("half")
        raise ZeroDivisionError

    tasks = await started(group, notes, 3)
    tasks.insert(2, asyncio.create_task(group.run(bad)))
    await asyncio.sleep(0)
    notes.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(told.pop(2), ZeroDivisionError)
    assert told == notes.kept == [0, 1, 2, 3]
    await group.close()


async def test_refused_work_leaves_the_transaction_whole():
    notes = Notes()
    group = GroupCommit(notes)

    def refused() -> None:
        raise NotUnique("taken")

    tasks = await started(group, notes, 2)
    tasks.append(asyncio.create_task(group.run(refused)))
    await asyncio.sleep(0)
    notes.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(told.pop(), NotUnique)
    assert told == notes.kept == [0, 1, 2]
    await group.close()


async def test_a_cancelled_caller_gives_its_room_back():
    notes = Notes()
    group = GroupCommit(notes, Bounds(waiting_drafts=4))
    tasks = await started(group, notes, 3)
    tasks[2].cancel()
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):  # it may still be written: its room is not free yet
        await group.run(lambda: notes.add("too many"))
    notes.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(told[2], asyncio.CancelledError)
    assert [told[0], told[1], told[3]] == [0, 1, 3]
    assert await group.run(lambda: notes.add("all"), drafts=4) == "all"
    await group.close()


async def test_close_drains_and_refuses_from_then_on():
    notes = Notes()
    group = GroupCommit(notes, Bounds(batch_drafts=3))
    tasks = await started(group, notes, 20)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await group.run(lambda: notes.add("late"))
    notes.gate.set()
    await closing
    assert [task.result() for task in tasks] == notes.kept == list(range(21))
    assert notes.closed
    await group.close()


def test_a_loop_that_went_away_harms_nobody():
    notes = Notes()
    notes.gate.clear()
    groups: list[GroupCommit] = []

    async def give_up() -> None:
        groups.append(GroupCommit(notes))
        task = asyncio.create_task(groups[0].run(lambda: notes.add("kept")))
        await asyncio.sleep(0.02)
        task.cancel()

    asyncio.run(give_up())
    notes.gate.set()
    asyncio.run(groups[0].close())
    assert notes.kept == ["kept"]
    assert notes.closed
