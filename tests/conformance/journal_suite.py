"""What every Journal does. Subclass JournalSuite and give it a `journal` fixture.

`journal` is a fresh, empty one; the fixture closes it.
"""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from storage.base import Journal, Missing, Record, StoreUnavailable

LATER = 2**63 - 1


def record(**changes: object) -> Record:
    made = Record(uuid4(), "assignment", uuid4(), "preparing", b"\x00payload\xff", 7, 1, 1_000)
    return replace(made, **changes)


class JournalSuite:
    async def test_a_record_is_kept_whole(self, journal: Journal):
        first = record(token=2**53, updated_at=2**53)
        assert await journal.find_record(first.id) is None
        assert await journal.put(first, expected=None) == first
        assert await journal.find_record(first.id) == first

    async def test_the_next_state_replaces_the_one_that_is_expected(self, journal: Journal):
        first = await journal.put(record(), expected=None)
        decided = replace(first, state="committing", token=8, attempt=2, updated_at=1_001)
        assert await journal.put(decided, expected="preparing") == decided
        assert await journal.find_record(first.id) == decided

    async def test_another_state_than_expected_stands(self, journal: Journal):
        first = await journal.put(record(), expected=None)
        decided = await journal.put(replace(first, state="committing"), expected="preparing")
        for expected in ("preparing", "aborting", None):
            aborting = replace(first, state="aborting", token=9)
            assert await journal.put(aborting, expected=expected) == decided
        assert await journal.find_record(first.id) == decided

    async def test_the_same_again_is_answered_the_same(self, journal: Journal):
        first = record()
        for _ in range(3):
            assert await journal.put(first, expected=None) == first
        decided = replace(first, state="committing")
        for _ in range(3):
            assert await journal.put(decided, expected="preparing") == decided

    async def test_a_state_is_expected_of_nothing(self, journal: Journal):
        lost = record()
        with pytest.raises(Missing):
            await journal.put(lost, expected="preparing")
        assert await journal.find_record(lost.id) is None

    async def test_of_many_exactly_one_decides(self, journal: Journal):
        first = await journal.put(record(), expected=None)
        wanted = [
            replace(first, state=("committing", "aborting")[n % 2], token=7 + n, attempt=n)
            for n in range(20)
        ]
        told = await asyncio.gather(*(journal.put(one, expected="preparing") for one in wanted))
        stored = await journal.find_record(first.id)
        assert set(told) == {stored}
        assert stored in wanted

    async def test_one_of_a_key_at_a_time(self, journal: Journal):
        first = await journal.put(record(), expected=None)
        second = record(key=first.key, token=9)
        assert await journal.put(second, expected=None) == first
        assert await journal.find_record(second.id) is None
        ended = await journal.put(replace(first, state="aborted"), expected="preparing")
        assert await journal.put(second, expected=None) == second
        again = replace(first, attempt=2, token=9)
        assert await journal.put(again, expected="aborted") == second
        assert await journal.find_record(first.id) == ended

    async def test_of_many_that_begin_for_a_key_exactly_one_does(self, journal: Journal):
        key = uuid4()
        wanted = [record(key=key) for _ in range(20)]
        told = await asyncio.gather(*(journal.put(one, expected=None) for one in wanted))
        assert len(set(told)) == 1
        assert await journal.unfinished(older_than=LATER) == [told[0]]

    async def test_other_keys_are_not_held_up(self, journal: Journal):
        records = [record() for _ in range(5)]
        for one in records:
            assert await journal.put(one, expected=None) == one

    async def test_who_was_overtaken_writes_nothing(self, journal: Journal):
        first = await journal.put(record(token=7), expected=None)
        taken = await journal.put(replace(first, token=8, attempt=2), expected="preparing")
        assert await journal.put(replace(first, state="committing"), expected="preparing") == taken
        ended = await journal.put(replace(taken, state="done"), expected="preparing")
        late = record(key=first.key, token=7)
        assert await journal.put(late, expected=None) == ended
        assert await journal.find_record(late.id) is None

    async def test_an_aborted_one_may_begin_anew(self, journal: Journal):
        first = await journal.put(record(state="aborted"), expected=None)
        again = replace(first, state="preparing", token=8, attempt=2, payload=b"")
        assert await journal.put(again, expected="aborted") == again

    async def test_what_is_unfinished_is_listed_by_age(self, journal: Journal):
        states = ("preparing", "committing", "aborting", "done", "aborted")
        made = [record(state=state, updated_at=1_000 - n) for n, state in enumerate(states)]
        for one in made:
            await journal.put(one, expected=None)
        preparing, committing, aborting, *_ = made
        found = await journal.unfinished(older_than=LATER)
        assert found == [aborting, committing, preparing]
        assert await journal.unfinished(older_than=LATER, limit=2) == [aborting, committing]
        assert await journal.unfinished(older_than=999) == [aborting]

    async def test_only_what_is_finished_is_forgotten(self, journal: Journal):
        states = ("preparing", "committing", "aborting", "done", "aborted")
        made = [record(state=state, updated_at=at) for state in states for at in (5, 6)]
        for one in made:
            await journal.put(one, expected=None)
        assert await journal.forget(older_than=6) == 2
        assert await journal.forget(older_than=6) == 0
        assert await journal.forget(older_than=LATER, limit=1) == 1
        assert await journal.forget(older_than=LATER) == 1
        left = [one for one in made if await journal.find_record(one.id) is not None]
        assert left == made[:6]

    async def test_epochs_only_grow(self, journal: Journal):
        told = await asyncio.gather(*(journal.next_epoch("locks") for _ in range(20)))
        assert len(set(told)) == 20
        assert min(told) >= 1
        assert await journal.next_epoch("locks") > max(told)
        assert await journal.next_epoch("others") >= 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"kind": ""},
            {"kind": "k" * 33},
            {"state": "s" * 33},
            {"payload": b"p" * 65_537},
            {"token": -1},
            {"token": 2**63},
            {"updated_at": -1},
        ],
    )
    async def test_what_no_store_keeps(self, journal: Journal, changes: dict[str, object]):
        wrong = record(**changes)
        with pytest.raises(ValueError):
            await journal.put(wrong, expected=None)
        assert await journal.find_record(wrong.id) is None

    async def test_limits_of_reading(self, journal: Journal):
        for limit in (0, 1_001):
            with pytest.raises(ValueError):
                await journal.unfinished(older_than=1, limit=limit)
            with pytest.raises(ValueError):
                await journal.forget(older_than=1, limit=limit)

    async def test_closed(self, journal: Journal):
        await journal.close()
        await journal.close()
        with pytest.raises(StoreUnavailable):
            await journal.put(record(), expected=None)
        with pytest.raises(StoreUnavailable):
            await journal.find_record(UUID(int=1))
