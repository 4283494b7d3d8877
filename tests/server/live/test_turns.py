"""A refused send keeps its place before the later ones of its conversation."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.domain.refusal import Code, Refusal
from server.live.turns import MAX_CONVERSATIONS, PATIENCE, Turns

A, B = UUID(int=1), UUID(int=2)
FIRST, SECOND = UUID(int=11), UUID(int=12)
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
