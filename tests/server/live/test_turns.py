"""A refused send keeps its place before the later ones of its conversation."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.domain.refusal import Code, Refusal
from server.live.turns import MAX_CONVERSATIONS, MAX_REFUSED, PATIENCE, Turns

A, B = UUID(int=1), UUID(int=2)
FIRST, SECOND, THIRD = UUID(int=11), UUID(int=12), UUID(int=13)
BUSY = Refusal(Code.BUSY, "later")


@pytest.fixture
def turns() -> Turns:
    turns = Turns()
    turns.refused(5, A, FIRST, BUSY, 0.0)
    return turns


def test_later_sends_share_the_refusal_until_the_first_comes_again(turns: Turns) -> None:
    assert turns.check(6, A, SECOND, 1.0) is BUSY
    assert turns.check(7, A, FIRST, 2.0) is None
    assert turns.check(8, A, SECOND, 3.0) is None


def test_other_conversations_go_on(turns: Turns) -> None:
    assert turns.check(6, B, SECOND, 1.0) is None


def test_the_first_stays_first_when_the_later_ones_are_refused_too(turns: Turns) -> None:
    turns.refused(6, A, SECOND, BUSY, 1.0)
    assert turns.check(7, A, FIRST, 2.0) is None


def test_a_final_refusal_holds_nobody_up() -> None:
    turns = Turns()
    turns.refused(5, A, FIRST, Refusal(Code.CONFLICT, "used before"), 0.0)
    assert turns.check(6, A, SECOND, 0.0) is None


def test_a_client_that_gave_up_is_not_waited_for_for_ever(turns: Turns) -> None:
    assert turns.check(6, A, SECOND, PATIENCE) is None
    assert turns.check(6, A, SECOND, PATIENCE) is None


def test_what_is_remembered_is_bounded(turns: Turns) -> None:
    for number in range(MAX_CONVERSATIONS):
        turns.refused(6, UUID(int=100 + number), FIRST, BUSY, 0.0)
    assert turns.check(6, A, SECOND, 0.0) is None  # The oldest was forgotten.
    assert turns.check(7, UUID(int=100), SECOND, 0.0) is BUSY


def test_what_arrived_earlier_does_not_give_way(turns: Turns) -> None:
    assert turns.check(4, A, SECOND, 1.0) is None
    assert turns.check(6, A, SECOND, 1.0) is BUSY


def test_of_several_refused_the_earliest_is_waited_for(turns: Turns) -> None:
    turns.refused(4, A, SECOND, BUSY, 1.0)
    assert turns.check(6, A, FIRST, 2.0) is BUSY
    assert turns.check(7, A, SECOND, 2.0) is None


def test_one_refused_while_the_first_waits_for_its_work_is_not_overtaken(turns: Turns) -> None:
    # The first and the second come again together. The second is over the rate, which is said at
    # once; the first is in the line for the store and is only looked at after that.
    turns.refused(6, A, SECOND, BUSY, 0.0)
    turns.refused(8, A, SECOND, BUSY, 1.0)
    assert turns.check(7, A, FIRST, 1.0) is None
    assert turns.check(9, A, THIRD, 1.0) is BUSY
    assert turns.check(10, A, SECOND, 2.0) is None


def test_what_is_refused_again_has_its_old_place(turns: Turns) -> None:
    turns.refused(6, A, SECOND, BUSY, 0.0)
    assert turns.check(7, A, FIRST, 1.0) is None
    turns.refused(7, A, FIRST, BUSY, 1.0)
    assert turns.check(8, A, SECOND, 2.0) is BUSY
    assert turns.check(9, A, FIRST, 3.0) is None
    assert turns.check(10, A, SECOND, 3.0) is None


def test_what_is_refused_for_good_at_last_holds_nobody_up(turns: Turns) -> None:
    turns.refused(6, A, SECOND, BUSY, 0.0)
    turns.refused(7, A, FIRST, Refusal(Code.CONFLICT, "used before"), 1.0)
    assert turns.check(8, A, SECOND, 1.0) is None


def test_so_many_refused_are_remembered_and_the_others_wait_with_them(turns: Turns) -> None:
    for number in range(2 * MAX_REFUSED):
        turns.refused(6 + number, A, UUID(int=100 + number), BUSY, 0.0)
    assert turns.check(999, A, UUID(int=999), 1.0) is BUSY
    assert turns.check(1000, A, FIRST, 1.0) is None
    for number in range(MAX_REFUSED - 1):
        assert turns.check(1001 + number, A, UUID(int=100 + number), 1.0) is None
    assert turns.check(2000, A, UUID(int=999), 1.0) is None
