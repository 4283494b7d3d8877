"""When messages are due, and what the bench says of delays."""

from __future__ import annotations

import msgspec
import pytest

from bench.persist.arrivals import LONGEST, SHORTEST, Load, Words

LOAD = Load(
    url="", kind="store", rate=200.0, seconds=2.0, warm_up=0.5, conversations=7, seed=1, found=True
)


def test_messages_are_due_evenly():
    assert (LOAD.uncounted, LOAD.messages) == (100, 500)
    assert [LOAD.due(passed) for passed in (-0.1, 0.0, 0.004, 0.006, 1.0)] == [0, 1, 1, 2, 201]
    assert LOAD.due(99.0) == 500
    for number in (0, 1, 77, 499):
        assert LOAD.due(LOAD.at(number) + 1e-9) == number + 1


def test_every_conversation_has_its_turn():
    words = Words(LOAD)
    drafts = [words.draft(number, 5) for number in range(70)]
    assert len({draft.client_id for draft in drafts}) == 70
    told = [draft.conversation for draft in drafts]
    assert {told.count(id) for id in words.conversations} == {10}
    assert all(SHORTEST <= len(draft.body) <= LONGEST for draft in drafts)
    assert len({len(draft.body) for draft in drafts}) > 20


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_dice_say_the_same(seed: int):
    load = msgspec.structs.replace(LOAD, seed=seed)
    first, again = Words(load), Words(load)
    assert [first.body(n) for n in range(300)] == [again.body(n) for n in range(300)]
