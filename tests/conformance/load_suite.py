"""What every Load does. Subclass LoadSuite and give it a `make` fixture and a `forget` one.

`make(lifetime)` gives another process's Load on the same one; `forget()` makes whatever keeps it
lose its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from server.service.coordinator.load import Given, Load, Taken

Make = Callable[..., Load]
Forget = Callable[[], Awaitable[None]]
ANN, BOB = uuid4(), uuid4()


async def complete(load: Load, agent: UUID = ANN, taken: Taken | None = None) -> None:
    assert await load.restore(agent, await load.prepare_restore(agent), taken or Taken())


async def keep(
    load: Load, conversation: UUID, transaction: UUID | None = None, token: int = 1, limit: int = 2
) -> Given:
    transaction = transaction or uuid4()
    return await load.keep(ANN, conversation, transaction, capacity=limit, token=token)


class LoadSuite:
    async def test_no_place_is_given_before_it_is_complete(self, make: Make):
        load = make()
        assert await keep(load, uuid4()) is Given.INCOMPLETE
        await load.prepare_restore(ANN)
        assert await keep(load, uuid4()) is Given.INCOMPLETE
        await complete(load)
        assert await keep(load, uuid4()) is Given.KEPT

    async def test_as_many_as_there_are(self, make: Make):
        load = make()
        await complete(load)
        assert [await keep(load, uuid4()) for _ in range(4)] == [Given.KEPT] * 2 + [Given.FULL] * 2
        assert await keep(load, uuid4(), limit=3) is Given.KEPT

    async def test_nobody_may_have_none(self, make: Make):
        load = make()
        await complete(load)
        assert await keep(load, uuid4(), limit=0) is Given.FULL

    async def test_agents_are_apart(self, make: Make):
        load = make()
        await complete(load, BOB)
        assert await keep(load, uuid4()) is Given.INCOMPLETE
        await load.hold(BOB, uuid4(), 1)
        await complete(load)
        assert [await keep(load, uuid4()) for _ in range(2)] == [Given.KEPT] * 2

    async def test_what_is_held_counts_with_what_is_kept(self, make: Make):
        load, one, two = make(), uuid4(), uuid4()
        await complete(load)
        await load.hold(ANN, one, 5)
        assert await keep(load, two) is Given.KEPT
        assert await keep(load, uuid4()) is Given.FULL
        for conversation in (one, two):
            assert await keep(load, conversation, token=2) is Given.KEPT, "it has a place"
        assert await keep(load, uuid4()) is Given.FULL

    async def test_who_is_over_the_limit_keeps_what_is_held(self, make: Make):
        load, one = make(), uuid4()
        await complete(load)
        for conversation in (one, uuid4(), uuid4()):
            await load.hold(ANN, conversation, 1)
        assert await keep(load, one) is Given.KEPT
        assert await keep(load, uuid4()) is Given.FULL

    async def test_of_many_as_many_get_a_place_as_there_are(self, make: Make):
        loads = [make() for _ in range(4)]
        await complete(loads[0])
        told = await asyncio.gather(*(keep(load, uuid4(), limit=7) for load in loads * 5))
        assert told.count(Given.KEPT) == 7
        assert told.count(Given.FULL) == 13

    async def test_nothing_is_kept_for_who_is_refused(self, make: Make):
        """Not even what was restored for them: they say themselves that they have no place yet."""
        load, ones = make(), {uuid4(): uuid4() for _ in range(3)}
        await complete(load, taken=Taken(kept=ones))
        told = [await keep(load, one, ones[one]) for one in ones]
        assert told == [Given.FULL, Given.KEPT, Given.KEPT]
        assert len((await load.taken(ANN)).kept) == 2

    async def test_a_place_is_given_back(self, make: Make):
        load, one, transaction = make(), uuid4(), uuid4()
        await complete(load)
        assert await keep(load, one, transaction, limit=1) is Given.KEPT
        await load.drop(ANN, one, uuid4(), token=1)
        assert await keep(load, uuid4(), limit=1) is Given.FULL, "it was another's to drop"
        for _ in range(2):
            await load.drop(ANN, one, transaction, token=1)
        assert await load.taken(ANN) == Taken()
        assert await keep(load, uuid4(), limit=1) is Given.KEPT

    async def test_what_was_dropped_and_asks_late_is_not_given(self, make: Make):
        load, one, transaction = make(), uuid4(), uuid4()
        await complete(load)
        await load.drop(ANN, one, transaction, token=5)
        for token in (4, 5):
            assert await keep(load, one, transaction, token) is Given.FENCED
        assert await load.taken(ANN) == Taken()
        assert await keep(load, one, transaction, 6) is Given.KEPT
        assert await keep(load, one, uuid4(), 5) is Given.FENCED
        assert await keep(load, uuid4(), uuid4(), 1) is Given.KEPT, "another conversation"

    async def test_the_newer_word_stays(self, make: Make):
        load, one = make(), uuid4()
        await complete(load)
        await load.hold(ANN, one, 5)
        await load.leave(ANN, one, 4)
        assert (await load.taken(ANN)).held == {one: 5}
        await load.hold(ANN, one, 3)
        assert (await load.taken(ANN)).held == {one: 5}
        await load.leave(ANN, one, 5)
        assert (await load.taken(ANN)).held == {}
        await load.leave(ANN, one, 6)

    async def test_large_tokens(self, make: Make):
        load, one = make(), uuid4()
        await complete(load)
        large = 2**52
        assert await keep(load, one, token=large) is Given.KEPT
        assert await keep(load, one, token=large - 1) is Given.FENCED
        assert await keep(load, one, token=large + 1) is Given.KEPT

    async def test_restoring_adds(self, make: Make):
        load, mine, theirs = make(), [uuid4() for _ in range(3)], [uuid4() for _ in range(3)]
        mark = await load.prepare_restore(ANN)
        await load.hold(ANN, mine[0], 9)
        restored = Taken({mine[0]: 5, mine[1]: 6}, {mine[2]: theirs[2]})
        assert await load.restore(ANN, mark, restored)
        assert await load.taken(ANN) == Taken({mine[0]: 9, mine[1]: 6}, {mine[2]: theirs[2]})
        assert await keep(load, uuid4(), limit=3) is Given.FULL

    async def test_a_mark_restores_once(self, make: Make):
        ours, theirs = make(), make()
        first, second = await ours.prepare_restore(ANN), await theirs.prepare_restore(ANN)
        assert await theirs.restore(ANN, second, Taken())
        assert not await ours.restore(ANN, first, Taken({uuid4(): 1}))
        assert await ours.taken(ANN) == Taken()
        third = await ours.prepare_restore(ANN)
        assert not await ours.restore(ANN, second, Taken({uuid4(): 1}))
        assert await ours.restore(ANN, third, Taken())

    async def test_what_was_read_before_it_forgot_restores_nothing(
        self, make: Make, forget: Forget
    ):
        load = make()
        mark = await load.prepare_restore(ANN)
        await forget()
        load = make()
        assert not await load.restore(ANN, mark, Taken())
        assert await keep(load, uuid4()) is Given.INCOMPLETE

    async def test_what_was_forgotten_gives_no_place(self, make: Make, forget: Forget):
        load = make()
        await complete(load)
        assert await keep(load, uuid4()) is Given.KEPT
        await forget()
        load = make()
        assert await keep(load, uuid4()) is Given.INCOMPLETE
        await load.hold(ANN, uuid4(), 1)
        assert await keep(load, uuid4()) is Given.INCOMPLETE

    async def test_it_ends_and_is_made_again(self, make: Make):
        load = make(lifetime=0.05)
        await complete(load)
        async with asyncio.timeout(10):
            while await keep(load, uuid4(), limit=1_000) is not Given.INCOMPLETE:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await load.taken(ANN) == Taken()
