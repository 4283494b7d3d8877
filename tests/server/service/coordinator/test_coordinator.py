"""Transactions of any kind, and participants that are slow, away, or break their word: as other
regions may be."""

from __future__ import annotations

import asyncio
import itertools
import time
from uuid import UUID, uuid4

import pytest

from server.service.coordinator.base import Fenced, LockBusy, No, Transaction
from server.service.coordinator.coordinator import KEPT, Coordinator, Outcome
from server.service.coordinator.locks import Holding, LocalLocks
from server.service.coordinator.machine import BrokenPromise, State
from storage.base import Journal, Record, StoreUnavailable
from storage.memory_journal import MemoryJournal

ALL = 2**63 - 1


class Region:
    """A participant that notes what it is told, and does what it is set to."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told
        self.faults: dict[str, list[BaseException | float]] = {}
        self.tokens: list[int] = []

    async def prepare(self, transaction: Transaction, token: int) -> None:
        await self._hear("prepare", token)

    async def commit(self, transaction: Transaction, token: int) -> str:
        await self._hear("commit", token)
        return f"{self.name} did {transaction.payload.decode()}"

    async def abort(self, transaction: Transaction, token: int) -> None:
        await self._hear("abort", token)

    async def _hear(self, command: str, token: int) -> None:
        self.told.append(f"{self.name} {command}")
        self.tokens.append(token)
        if faults := self.faults.get(command):
            fault = faults.pop(0)
            if isinstance(fault, BaseException):
                raise fault
            await asyncio.sleep(fault)


class Scene:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.here, self.there = Region("here", self.told), Region("there", self.told)
        self.journal = MemoryJournal()
        self.locks = LocalLocks(self.journal, time.monotonic)
        self.times = itertools.count(1_000_000_000)
        self.coordinator = self.another()

    def another(self, journal: Journal | None = None, *, forgotten: bool = False) -> Coordinator:
        """Another process; `forgotten` are the locks that others hold."""
        if forgotten:
            self.locks = LocalLocks(self.journal, time.monotonic)
        return Coordinator(
            journal or self.journal,
            Holding(self.locks, patience=0.5),
            {"move": (self.here, self.there)},
            now=lambda: next(self.times),
            patience=0.05,
            stale=0.0,
        )

    async def state(self, id: UUID) -> str:
        record = await self.journal.find_record(id)
        assert record is not None
        return record.state


def move(key: UUID | None = None, kind: str = "move") -> Transaction:
    return Transaction(uuid4(), kind, key or uuid4(), b"it")


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_all_of_them(scene: Scene):
    asked = move()
    outcome = await scene.coordinator.run(asked)
    assert outcome == Outcome(State.DONE, ("here did it", "there did it"))
    assert outcome.committed
    assert scene.told == ["here prepare", "there prepare", "here commit", "there commit"]
    assert len(set(scene.here.tokens)) == 1
    assert await scene.state(asked.id) == "done"


async def test_or_none(scene: Scene):
    asked, no = move(), No("there is no room")
    scene.there.faults["prepare"] = [no]
    outcome = await scene.coordinator.run(asked)
    assert outcome == Outcome(State.ABORTED, (), no)
    assert not outcome.committed
    assert scene.told == ["here prepare", "there prepare", "there abort", "here abort"]
    assert await scene.state(asked.id) == "aborted"


@pytest.mark.parametrize(
    "fault", [1.0, ConnectionError("cut"), Fenced("old"), StoreUnavailable("")]
)
async def test_no_answer_is_no(scene: Scene, fault: BaseException | float):
    scene.there.faults["prepare"] = [fault]
    outcome = await scene.coordinator.run(move())
    assert (outcome.state, outcome.reason) == (State.ABORTED, None)


async def test_the_same_again(scene: Scene):
    asked = move()
    await scene.coordinator.run(asked)
    scene.told.clear()
    assert await scene.another().run(asked) == Outcome(State.DONE)
    assert scene.told == []


async def test_what_was_aborted_may_be_tried_anew(scene: Scene):
    asked = move()
    scene.there.faults["prepare"] = [No("not yet")]
    await scene.coordinator.run(asked)
    assert (await scene.coordinator.run(asked)).state is State.DONE
    record = await scene.journal.find_record(asked.id)
    assert record is not None
    assert record.attempt == 2


async def test_a_commit_that_is_not_heard_is_told_again(scene: Scene):
    scene.there.faults["commit"] = [ConnectionError("cut")]
    outcome = await scene.coordinator.run(move())
    assert outcome.state is State.DONE
    assert scene.told.count("there commit") == 2


async def test_a_region_that_is_cut_off_after_the_decision(scene: Scene):
    """Decided is decided: the caller hears so, and the rest follows when it is back."""
    asked = move()
    key = asked.key
    scene.there.faults["commit"] = [1.0] * 4
    outcome = await scene.coordinator.run(asked)
    assert (outcome.state, outcome.committed) == (State.COMMITTING, True)
    with pytest.raises(LockBusy, match="cannot be finished yet"):
        await scene.another().run(move(key))
    assert await scene.another().recover() == 1
    assert await scene.state(asked.id) == "done"
    assert (await scene.coordinator.run(move(key))).state is State.DONE


async def test_a_region_that_is_cut_off_while_it_is_taken_back(scene: Scene):
    asked = move()
    scene.here.faults["prepare"] = [No("no")]
    scene.there.faults["abort"] = [ConnectionError("cut")] * 2
    outcome = await scene.coordinator.run(asked)
    assert (outcome.state, outcome.committed) == (State.ABORTING, False)
    assert await scene.another().recover() == 1
    assert await scene.state(asked.id) == "aborted"
    assert scene.told[-1] == "here abort"


class Slow(MemoryJournal):
    """Stops before it writes a state, until it is let go on."""

    def __init__(self, before: str) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self._before = before

    async def put(self, record, *, expected):  # type: ignore[no-untyped-def]
        if record.state == self._before and not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        return await super().put(record, expected=expected)


@pytest.mark.parametrize(
    ("before", "state"),
    [("committing", State.ABORTED), ("done", State.DONE), ("aborting", State.ABORTED)],
)
async def test_who_is_overtaken_says_what_became_of_it(scene: Scene, before: str, state: State):
    slow = scene.journal = Slow(before)
    scene.locks = LocalLocks(slow, time.monotonic)
    if before == "aborting":
        scene.there.faults["prepare"] = [No("no")]
    asked = move()
    stopped = asyncio.create_task(scene.another().run(asked))
    await slow.reached.wait()
    assert await scene.another(forgotten=True).recover() == 1
    told = len(scene.told)
    slow.go_on.set()
    assert (await stopped).state is state
    assert len(scene.told) == told, "it told somebody something although it was overtaken"
    assert await scene.state(asked.id) == state.value


async def test_who_is_overtaken_while_taking_over(scene: Scene):
    slow = scene.journal = Slow("aborting")
    scene.locks = LocalLocks(slow, time.monotonic)
    left = move()
    await slow.put(Record(left.id, "move", left.key, "preparing", b"it", 1, 1, 1), expected=None)
    second = asyncio.create_task(scene.another().run(move(left.key)))
    await slow.reached.wait()
    assert await scene.another(forgotten=True).recover() == 1
    slow.go_on.set()
    with pytest.raises(LockBusy):
        await second
    assert await scene.state(left.id) == "aborted"


async def test_a_store_that_goes_away(scene: Scene):
    class Away(MemoryJournal):
        async def put(self, record, *, expected):  # type: ignore[no-untyped-def]
            if record.state == "done":
                raise StoreUnavailable("gone")
            return await super().put(record, expected=expected)

    scene.journal = Away()
    asked = move()
    with pytest.raises(StoreUnavailable):
        await scene.another().run(asked)
    assert await scene.state(asked.id) == "committing"


async def test_who_breaks_a_promise_stops_nobody_else(scene: Scene):
    bad, good = move(), move()
    scene.there.faults["commit"] = [No("I changed my mind")] * 2
    with pytest.raises(BrokenPromise):
        await scene.coordinator.run(bad)
    assert await scene.coordinator.recover() == 0
    assert (await scene.coordinator.run(good)).state is State.DONE
    assert await scene.coordinator.recover() == 1
    assert await scene.state(bad.id) == "done"


async def test_watching_goes_on_whatever_the_store_does(scene: Scene):
    closed = MemoryJournal()
    await closed.close()
    watching = asyncio.create_task(scene.another(closed).watch())
    await asyncio.sleep(0.01)
    assert not watching.done()
    watching.cancel()
    await asyncio.wait([watching])


async def test_old_records_are_forgotten(scene: Scene):
    asked = move()
    await scene.coordinator.run(asked)
    assert await scene.coordinator.forget() == 0
    scene.times = itertools.count(1_000_000_000 + int(KEPT * 1000) + 1_000)
    assert await scene.coordinator.forget() == 1
    assert await scene.journal.find_record(asked.id) is None
