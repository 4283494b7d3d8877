"""Waiting for a lock and holding it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from server.service.coordinator import locks as locks_module
from server.service.coordinator.base import Lease, LockBusy, LockUnavailable
from server.service.coordinator.locks import SEGMENTS, Holding, LocalLocks, segment
from storage.memory_journal import MemoryJournal

LONG = 60.0


def new() -> LocalLocks:
    return LocalLocks(MemoryJournal(), time.monotonic)


def same_segment(key: UUID) -> Iterator[UUID]:
    while True:
        other = uuid4()
        if segment(other) == segment(key):
            yield other


def test_keys_are_spread_over_all_segments():
    assert {segment(uuid4()) for _ in range(2_000)} == set(range(SEGMENTS))


async def test_one_at_a_time_in_the_order_of_asking():
    holding, key, order = Holding(new()), uuid4(), []

    async def hold(n: int) -> None:
        async with holding.of(key) as lease:
            order.append((n, lease.token))
            await asyncio.sleep(0)

    await asyncio.gather(*(hold(n) for n in range(20)))
    assert [n for n, _ in order] == list(range(20))
    tokens = [token for _, token in order]
    assert tokens == sorted(set(tokens))


async def test_other_segments_go_on():
    holding, key = Holding(new(), patience=0.01), uuid4()
    other = next(one for one in iter(uuid4, None) if segment(one) != segment(key))
    async with holding.of(key), holding.of(other):
        pass


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
async def test_waiting_ends(apart: bool):
    locks, key = new(), uuid4()
    first = Holding(locks, patience=0.05)
    second = Holding(locks, patience=0.05) if apart else first
    async with first.of(key):
        with pytest.raises(LockBusy, match="too long"):
            async with second.of(next(same_segment(key))):
                raise AssertionError("two holders")
    async with second.of(key):
        pass


async def test_over_the_bound_nobody_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks_module, "MAX_WAITING", 2)
    holding, key, done = Holding(new(), patience=LONG), uuid4(), asyncio.Event()

    async def hold() -> None:
        async with holding.of(key):
            await done.wait()

    holders = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(LockBusy, match="2 wait"):
        async with holding.of(key):
            pass
    done.set()
    await asyncio.gather(*holders)
    async with holding.of(key):
        pass


async def test_a_lease_is_renewed_while_it_is_held():
    locks, key = new(), uuid4()
    holding = Holding(locks, lease=0.06)
    async with holding.of(key) as lease:
        await asyncio.sleep(0.2)
        assert await locks.renew(lease, seconds=0.06), "it ran out"
    assert await locks.acquire(segment(key), seconds=1) is not None


async def test_who_waits_may_go_away():
    holding, key = Holding(new(), patience=LONG), uuid4()
    async with holding.of(key):
        waiting = asyncio.create_task(holding.of(key).__aenter__())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with holding.of(key):
        pass


async def test_what_fails_inside_lets_go():
    locks, key = new(), uuid4()
    holding = Holding(locks)
    with pytest.raises(RuntimeError, match="inside"):
        async with holding.of(key):
            raise RuntimeError("inside")
    assert await locks.acquire(segment(key), seconds=1) is not None


class Gone(LocalLocks):
    """Can be reached once."""

    async def renew(self, lease: Lease, *, seconds: float) -> bool:
        raise LockUnavailable("gone")

    async def release(self, lease: Lease) -> bool:
        raise LockUnavailable("gone")


async def test_locks_that_went_away_disturb_nobody_who_holds_one():
    locks, key = Gone(MemoryJournal(), time.monotonic), uuid4()
    holding = Holding(locks, lease=0.03, patience=1.0)
    async with holding.of(key):
        await asyncio.sleep(0.05)
    async with holding.of(key):
        pass


async def test_a_journal_that_is_away_makes_locks_unavailable():
    journal = MemoryJournal()
    await journal.close()
    with pytest.raises(LockUnavailable, match="no epoch"):
        async with Holding(LocalLocks(journal, time.monotonic)).of(uuid4()):
            pass
