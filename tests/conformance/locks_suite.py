"""What all Locks do. Subclass LocksSuite and give it a `make` fixture and a `forget` one.

`make()` gives another process's Locks on the same ones; `forget()` makes whatever keeps them lose
its memory, but for the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.service.coordinator.base import Lease, Locks

Make = Callable[[], Locks]
Forget = Callable[[], Awaitable[None]]
LONG, SHORT = 60.0, 0.05


async def taken(locks: Locks, segment: int, seconds: float = LONG) -> Lease:
    lease = await locks.acquire(segment, seconds=seconds)
    assert lease is not None
    return lease


class LocksSuite:
    async def test_one_holder_at_a_time(self, make: Make):
        ours, theirs = make(), make()
        lease = await taken(ours, 3)
        assert lease.segment == 3
        assert await theirs.acquire(3, seconds=LONG) is None
        assert await ours.acquire(3, seconds=LONG) is None
        assert await ours.release(lease)
        assert await taken(theirs, 3)

    async def test_segments_are_apart(self, make: Make):
        ours, theirs = make(), make()
        for segment in range(0, 32, 2):
            await taken(ours, segment)
            await taken(theirs, segment + 1)

    async def test_tokens_only_grow(self, make: Make):
        ours, theirs = make(), make()
        tokens = []
        for _ in range(10):
            for locks in (ours, theirs):
                lease = await taken(locks, 0)
                tokens.append(lease.token)
                await locks.release(lease)
        assert tokens == sorted(set(tokens))

    async def test_tokens_only_grow_though_everything_is_forgotten(
        self, make: Make, forget: Forget
    ):
        tokens = []
        for _ in range(5):
            locks = make()
            tokens.append((await taken(locks, 0)).token)
            await forget()
        assert tokens == sorted(set(tokens))

    async def test_a_lease_that_ran_out_is_free(self, make: Make):
        ours, theirs = make(), make()
        lost = await taken(ours, 0, SHORT)
        async with asyncio.timeout(10):
            while (lease := await theirs.acquire(0, seconds=LONG)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert lease.token > lost.token
        assert not await ours.renew(lost, seconds=LONG)
        assert not await ours.release(lost)
        assert await ours.acquire(0, seconds=LONG) is None

    async def test_a_lease_is_renewed(self, make: Make):
        ours, theirs = make(), make()
        lease = await taken(ours, 0, SHORT)
        assert await ours.renew(lease, seconds=LONG)
        await asyncio.sleep(2 * SHORT)
        assert await theirs.acquire(0, seconds=LONG) is None
        assert await ours.release(lease)

    async def test_a_lease_that_was_forgotten(self, make: Make, forget: Forget):
        ours = make()
        lost = await taken(ours, 0)
        await forget()
        theirs = make()
        lease = await taken(theirs, 0)
        assert lease.token > lost.token
        for locks in (make(), theirs):
            assert not await locks.renew(lost, seconds=LONG)
            assert not await locks.release(lost)
        assert await theirs.renew(lease, seconds=LONG)

    async def test_of_many_exactly_one_gets_it(self, make: Make):
        all_locks = [make() for _ in range(8)]
        got = await asyncio.gather(*(locks.acquire(0, seconds=LONG) for locks in all_locks))
        assert sum(lease is not None for lease in got) == 1
