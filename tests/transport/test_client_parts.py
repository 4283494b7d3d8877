"""The parts of the client that need no server: race, cursor, entries, outbox, backoff, UUIDs."""

from __future__ import annotations

import asyncio
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.client import DialError, EntriesLost, OutboxFull, Refusal
from transport.client import entries as entries_module
from transport.client import outbox as outbox_module
from transport.client.backoff import LONGEST, Backoff
from transport.client.cursor import Cursor
from transport.client.entries import Entries
from transport.client.outbox import Outbox
from transport.client.race import race
from transport.driver import Driver
from transport.memory import memory_pair
from transport.uuid7 import Uuid7
from transport.wire.frames import EMPTY, Accepted, Deliver, Position, Refused, Resumed, Send

ID = UUID(int=9)


def entry(seq: int, epoch: int = 1) -> Deliver:
    return Deliver(ID, epoch, seq, "a:1", UUID(int=seq), "message", EMPTY, 0)


class TestRace:
    @staticmethod
    async def fails() -> Driver:
        raise DialError("no")

    @staticmethod
    async def hangs() -> Driver:
        await asyncio.Event().wait()
        raise AssertionError

    async def test_the_first_has_a_head_start(self) -> None:
        asked: list[str] = []
        async with memory_pair() as (one, other):

            async def first() -> Driver:
                asked.append("first")
                return one

            async def second() -> Driver:
                asked.append("second")
                return other

            assert await race([first, second], 5.0, Driver.abort) is one
            assert asked == ["first"]

    async def test_the_next_does_not_wait_for_one_that_failed(self) -> None:
        async with memory_pair() as (one, _):

            async def works() -> Driver:
                return one

            async with asyncio.timeout(2):
                assert await race([self.fails, self.fails, works], 60.0, Driver.abort) is one
                assert await race([self.fails, works], None, Driver.abort) is one

    async def test_one_that_hangs_costs_the_head_start(self) -> None:
        async with memory_pair() as (one, _):

            async def works() -> Driver:
                return one

            async with asyncio.timeout(2):
                assert await race([self.hangs, works], 0.01, Driver.abort) is one

    async def test_the_slower_of_two_winners_is_aborted(self) -> None:
        async with memory_pair() as (one, other):
            go = asyncio.Event()

            async def first() -> Driver:
                await go.wait()
                return one

            async def second() -> Driver:
                go.set()
                await asyncio.sleep(0)
                return other

            winner = await race([first, second], 0.01, Driver.abort)
            loser = one if winner is other else other
            async with asyncio.timeout(2):
                await loser.wait_closed()

    async def test_all_fail(self) -> None:
        with pytest.raises(DialError, match="no"):
            await race([self.fails, self.fails], 0.01, Driver.abort)
        with pytest.raises(DialError, match="nothing to try"):
            await race([], 0.01, Driver.abort)

    async def test_cancelled_it_leaves_nothing_behind(self) -> None:
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await race([self.hangs, self.hangs], 0.001, Driver.abort)
        assert asyncio.all_tasks() == before


class TestCursor:
    @given(st.permutations(list(range(1, 12))), st.lists(st.integers(1, 11)))
    def test_any_order_comes_out_in_order_and_once(self, order: list[int], more: list[int]) -> None:
        cursor = Cursor(Position(ID, 1, 0))
        out = [ready.seq for seq in order + more for ready in cursor.take(entry(seq))]
        assert out == list(range(1, 12))
        assert cursor.gap is None

    def test_gap(self) -> None:
        cursor = Cursor(Position(ID, 1, 3))
        assert cursor.take(entry(6)) == []
        assert cursor.gap == 3
        assert cursor.take(entry(4)) == [entry(4)]
        assert cursor.gap == 4
        assert cursor.take(entry(5)) == [entry(5), entry(6)]
        assert cursor.gap is None

    def test_a_new_epoch_begins_from_nothing(self) -> None:
        cursor = Cursor(Position(ID, 1, 3))
        cursor.take(entry(9))
        assert cursor.take(entry(2, epoch=2)) == []
        assert cursor.gap == 0
        assert cursor.take(entry(1, epoch=2)) == [entry(1, epoch=2), entry(2, epoch=2)]
        assert cursor.take(entry(4, epoch=1)) == []

    def test_resumed(self) -> None:
        cursor = Cursor(Position(ID, 1, 3))
        cursor.resumed(Resumed(ID, 1, 900, True))
        assert cursor.gap is None
        cursor.resumed(Resumed(ID, 1, 900, False))
        assert cursor.gap == 3
        cursor.resumed(Resumed(ID, 2, 0, False))
        assert cursor.gap is None
        assert cursor.position == Position(ID, 2, 0)

    def test_what_is_far_ahead_is_left_to_the_fetch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transport.client.cursor.MAX_HELD", 2)
        cursor = Cursor(Position(ID, 1, 0))
        for seq in (2, 3, 4):
            assert cursor.take(entry(seq)) == []
        assert cursor.take(entry(1)) == [entry(1), entry(2), entry(3)]
        assert cursor.gap == 3


class TestEntries:
    async def test_those_past_the_bound_are_lost_and_it_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(entries_module, "MAX_BACKLOG", 2)
        entries = Entries()
        for seq in (1, 2, 3, 4):
            entries.put(entry(seq))
        assert [await anext(entries), await anext(entries)] == [entry(1), entry(2)]
        for _ in range(2):
            with pytest.raises(EntriesLost):
                await anext(entries)

    async def test_waits(self) -> None:
        entries = Entries()
        waiting = asyncio.ensure_future(anext(entries))
        await asyncio.sleep(0)
        entries.put(entry(1))
        assert await waiting == entry(1)


class TestOutbox:
    def put(self, outbox: Outbox, number: int) -> asyncio.Future[Accepted]:
        frame = Send(UUID(int=number), ID, "message")
        return outbox.put(frame, asyncio.get_running_loop().create_future())

    def accept(self, outbox: Outbox, number: int) -> None:
        outbox.accepted(Accepted(UUID(int=number), ID, 1, 1, 0))

    def refuse(self, outbox: Outbox, number: int, retry_after: int | None) -> float | None:
        rest = outbox.refused(Refused("busy", "", retry_after, UUID(int=number)))
        assert rest is None or rest[0] == ID
        return None if rest is None else rest[1]

    def take(self, outbox: Outbox) -> list[int]:
        return [frame.client_id.int for frame in outbox.take()]

    async def test_what_goes_out_keeps_its_order(self) -> None:
        outbox = Outbox(max)
        answers = [self.put(outbox, number) for number in range(3)]
        assert self.take(outbox) == [0, 1, 2]
        assert self.take(outbox) == []
        self.accept(outbox, 1)
        assert answers[1].result().seq == 1
        self.accept(outbox, 1)
        assert len(outbox) == 2

    async def test_a_new_session_is_told_what_is_unanswered(self) -> None:
        outbox = Outbox(max)
        for number in range(3):
            self.put(outbox, number)
        self.take(outbox)
        self.accept(outbox, 1)
        outbox.restart()
        assert self.take(outbox) == [0, 2]

    async def test_few_are_on_their_way_at_once(self) -> None:
        outbox = Outbox(max, window=2)
        for number in range(5):
            self.put(outbox, number)
        assert self.take(outbox) == [0, 1]
        self.accept(outbox, 0)
        assert self.take(outbox) == [2]
        outbox.restart()
        assert self.take(outbox) == [1, 2]
        self.refuse(outbox, 1, None)
        assert self.take(outbox) == [3]

    async def test_the_same_again_is_the_same(self) -> None:
        outbox = Outbox(max)
        assert self.put(outbox, 1) is self.put(outbox, 1)

    async def test_a_refused_conversation_rests_longer_after_each_refusal(self) -> None:
        outbox = Outbox(lambda low, high: low)
        self.put(outbox, 1)
        waits = []
        for _ in range(6):
            assert self.take(outbox) == [1]
            waits.append(self.refuse(outbox, 1, 1000))
            assert self.take(outbox) == []
            outbox.wake(ID)
        assert waits == [1, 2, 4, 5, 5, 5]
        assert self.refuse(outbox, 1, 9000) == 9, "the server knows best"

    async def test_what_is_accepted_ends_the_row_of_refusals(self) -> None:
        outbox = Outbox(lambda low, high: low)
        for number in (1, 2):
            self.put(outbox, number)
            self.refuse(outbox, number, 1000)
            outbox.wake(ID)
        self.accept(outbox, 1)
        assert self.refuse(outbox, 2, 1000) == 1

    async def test_what_was_refused_goes_again_before_what_was_said_meanwhile(self) -> None:
        outbox = Outbox(max)
        for number in (1, 2, 3):
            self.put(outbox, number)
        self.take(outbox)
        assert self.refuse(outbox, 2, 1000) is not None
        assert self.refuse(outbox, 3, 1000) is None
        self.put(outbox, 4)
        self.accept(outbox, 1)
        assert self.take(outbox) == []
        outbox.wake(ID)
        assert self.take(outbox) == [2, 3, 4]

    async def test_conversations_rest_apart(self) -> None:
        outbox = Outbox(max)
        self.put(outbox, 1)
        self.take(outbox)
        self.refuse(outbox, 1, 1000)
        elsewhere = Send(UUID(int=9), UUID(int=77), "message")
        outbox.put(elsewhere, asyncio.get_running_loop().create_future())
        assert self.take(outbox) == [9]

    async def test_a_new_session_ends_all_rests(self) -> None:
        outbox = Outbox(max)
        self.put(outbox, 1)
        self.refuse(outbox, 1, 1000)
        self.put(outbox, 2)
        outbox.restart()
        assert self.take(outbox) == [1, 2]

    async def test_what_is_queued_makes_room_and_is_answered_by_the_log(self) -> None:
        outbox = Outbox(max, window=1)
        answers = [self.put(outbox, number) for number in (1, 2)]
        assert self.take(outbox) == [1]
        outbox.queued(UUID(int=1))
        outbox.queued(UUID(int=1))
        assert self.take(outbox) == [2]
        outbox.delivered(entry(1))
        assert answers[0].result() == Accepted(UUID(int=1), ID, 1, 1, 0)
        outbox.restart()
        assert self.take(outbox) == [2]

    async def test_what_is_queued_is_told_a_new_session_and_may_be_refused(self) -> None:
        outbox = Outbox(max)
        answer = self.put(outbox, 1)
        for _ in range(2):
            assert self.take(outbox) == [1]
            outbox.queued(UUID(int=1))
            outbox.restart()
        self.take(outbox)
        outbox.queued(UUID(int=1))
        self.refuse(outbox, 1, None)
        assert isinstance(answer.exception(), Refusal)

    async def test_final_refusal(self) -> None:
        outbox = Outbox(max)
        answer = self.put(outbox, 1)
        assert self.refuse(outbox, 1, None) is None
        assert isinstance(answer.exception(), Refusal)
        assert len(outbox) == 0

    async def test_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outbox_module, "MAX_OUTBOX", 2)
        outbox = Outbox(max)
        self.put(outbox, 1)
        self.put(outbox, 2)
        with pytest.raises(OutboxFull):
            self.put(outbox, 3)


def test_backoff_doubles_within_its_bound() -> None:
    backoff = Backoff(Random(1))
    waits = [backoff.next() for _ in range(12)]
    bounds = [min(LONGEST, 0.25 * 2**n) for n in range(12)]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    backoff.reset()
    assert backoff.next() <= 0.25


def test_uuids_rise_even_when_the_clock_does_not() -> None:
    times = iter([1_000_000, 1_000_000, 999_999, *[1_000_000] * 5000, 1_000_002])
    make = Uuid7(clock=lambda: next(times))
    made = [make() for _ in range(5004)]
    assert made == sorted(set(made))
    assert {uuid.version for uuid in made} == {7}
    assert {uuid.variant for uuid in made} == {uuid4().variant}
    assert made[0].int >> 80 == 1_000_000
