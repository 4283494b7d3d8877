"""Entries pass in the order of their positions, once, whatever order they come in."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.bus.order import MAX_HELD, PATIENCE, Order, Position

ONE, OTHER = UUID(int=1), UUID(int=2)


def put(order: Order[int], *seqs: int, conversation: UUID = ONE, now: float = 0) -> list[int]:
    return [n for seq in seqs for n in order.put(conversation, (1, seq), seq, now)]


def test_what_comes_in_order_passes_at_once() -> None:
    order: Order[int] = Order()
    assert put(order, 5, 6, 7) == [5, 6, 7]
    assert order.next_due() is None


def test_what_comes_too_early_waits_for_its_turn() -> None:
    order: Order[int] = Order()
    assert put(order, 5, 7, 8, 10) == [5]
    assert put(order, 6) == [6, 7, 8]
    assert put(order, 9) == [9, 10]
    assert order.next_due() is None


def test_waiting_has_an_end_and_what_comes_after_it_is_dropped() -> None:
    order: Order[int] = Order()
    assert put(order, 5, 8, now=1.0) == [5]
    assert put(order, 7, now=1.1) == []
    assert order.next_due() == pytest.approx(1.0 + PATIENCE)
    assert order.due(1.0 + PATIENCE - 0.001) == []
    assert order.due(1.0 + PATIENCE) == [7, 8]
    assert put(order, 6, 7, 8, 9, now=2.0) == [9]


def test_each_waits_its_own_time() -> None:
    order: Order[int] = Order()
    put(order, 5, 8, now=1.0)
    assert put(order, 7, 9, 11, now=1.1) == []
    assert order.due(1.0 + PATIENCE) == [7, 8, 9], "11 has to wait for 10"
    assert put(order, 10, now=1.2) == [10, 11]
    assert order.next_due() is None


def test_duplicates_are_dropped_also_while_they_wait() -> None:
    order: Order[int] = Order()
    assert put(order, 5, 5, 7, 7, 4, 6, 6, 7) == [5, 6, 7]


def test_a_new_epoch_begins_at_one_and_ends_the_old() -> None:
    order: Order[str] = Order()
    assert order.put(ONE, (1, 9), "9", 0) == ["9"]
    assert order.put(ONE, (1, 11), "11", 0) == []
    assert order.put(ONE, (2, 2), "2.2", 0) == []
    assert order.put(ONE, (2, 1), "2.1", 0) == ["11", "2.1", "2.2"]
    assert order.put(ONE, (1, 10), "10", 0) == []
    assert order.next_due() is None


def test_too_many_early_ones_go_on_without() -> None:
    order: Order[int] = Order()
    early = range(7, 7 + MAX_HELD)
    assert put(order, 5, *early) == [5]
    assert put(order, 7 + MAX_HELD) == [*early, 7 + MAX_HELD]
    assert order.next_due() is None


def test_all_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.bus.order.MAX_HELD_IN_ALL", 2)
    order: Order[int] = Order()
    for n in range(3):
        put(order, 1, conversation=UUID(int=n))
    assert [put(order, 3, conversation=UUID(int=n)) for n in range(3)] == [[], [], [3]]
    assert put(order, 2, conversation=UUID(int=0)) == [2, 3]


def test_the_silent_are_forgotten_and_lose_nothing() -> None:
    order: Order[int] = Order(max_conversations=2)
    put(order, 1, 3, conversation=ONE)
    put(order, 1, conversation=OTHER)
    assert put(order, 8, conversation=UUID(int=3)) == [3, 8]
    assert order.next_due() is None
    assert put(order, 3, conversation=ONE) == [3], "it begins anew"


events = st.lists(
    st.tuples(
        st.sampled_from([ONE, OTHER, UUID(int=3)]),
        st.integers(1, 2),
        st.integers(1, 12),
        st.floats(0, 0.1),
    ),
    max_size=80,
)
# Few conversations and positions, so that they meet often.


@given(events)
def test_whatever_comes_order_is_kept_and_nothing_waits_for_ever(
    events: list[tuple[UUID, int, int, float]],
) -> None:
    order: Order[tuple[UUID, Position]] = Order()
    passed: list[tuple[UUID, Position]] = []
    came: dict[tuple[UUID, Position], float] = {}
    now = 0.0
    for conversation, epoch, seq, later in events:
        now += later
        passed += order.due(now)
        item = conversation, (epoch, seq)
        came.setdefault(item, now)
        passed += order.put(conversation, (epoch, seq), item, now)
        due = order.next_due()
        assert due is None or now < due <= now + PATIENCE
    passed += order.due(now + PATIENCE)
    assert order.next_due() is None
    assert len(set(passed)) == len(passed)
    assert set(passed) <= set(came)
    for conversation in {item[0] for item in came}:
        own = [position for one, position in passed if one == conversation]
        assert own == sorted(own)
        assert own
        # What was not passed came when a later one had been, or had waited for it.
        for one, position in came:
            if one == conversation and position not in own:
                assert own[-1] > position


@given(st.permutations(range(2, 12)))
def test_any_order_within_the_time_becomes_the_right_one(seqs: list[int]) -> None:
    order: Order[int] = Order()
    assert put(order, 1, *seqs) == list(range(1, 12))
    assert order.next_due() is None


@given(st.lists(st.integers(1, 40), max_size=200), st.integers(1, 3))
def test_memory_is_bounded(conversations: list[int], most: int) -> None:
    order: Order[int] = Order(max_conversations=most)
    for n, conversation in enumerate(conversations):
        order.put(UUID(int=conversation), (1, n % 7 + 1), n, 0)
        assert len(order._lines) <= most
        assert order._held == sum(len(line.held) for line in order._lines.values())
        assert (order.next_due() is None) == (order._held == 0)
