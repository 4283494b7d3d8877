from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from server.region import order
from server.region.order import PATIENCE, Ordering, Want
from storage.base import Entry, Head

CHAT = UUID(int=7)


def entry(seq: int, epoch: int = 1, conversation: UUID = CHAT) -> Entry:
    return Entry(conversation, epoch, seq, "v:1", uuid4(), "message", b"", 0)


def seqs(entries: list[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def test_what_follows_is_given_out() -> None:
    ordering = Ordering()
    assert seqs(ordering.take(Head(1, 4), [entry(5), entry(6)], 0.0)) == [5, 6]
    assert len(ordering) == 0
    assert ordering.next_timer() is None


def test_a_new_conversation_begins_in_whatever_epoch_it_has() -> None:
    assert seqs(Ordering().take(Head(1, 0), [entry(1, 3), entry(2, 3)], 0.0)) == [1, 2]


def test_what_is_known_is_dropped() -> None:
    ordering = Ordering()
    assert ordering.take(Head(1, 4), [entry(3), entry(4)], 0.0) == []
    assert len(ordering) == 0


def test_what_comes_early_waits() -> None:
    ordering = Ordering()
    assert ordering.take(Head(1, 4), [entry(7), entry(6)], 0.0) == []
    assert len(ordering) == 2
    assert seqs(ordering.take(Head(1, 4), [entry(5)], 0.1)) == [5, 6, 7]
    assert len(ordering) == 0


def test_a_gap_is_asked_for_until_it_is_filled() -> None:
    ordering = Ordering()
    ordering.take(Head(1, 4), [entry(6)], 0.0)
    assert ordering.wants(PATIENCE / 2) == []
    assert ordering.next_timer() == PATIENCE
    assert ordering.wants(PATIENCE) == [Want(CHAT, Head(1, 4))]
    assert ordering.wants(PATIENCE * 1.5) == []
    assert ordering.wants(PATIENCE * 2) == [Want(CHAT, Head(1, 4))]
    ordering.take(Head(1, 4), [entry(5)], PATIENCE * 2)
    assert ordering.wants(PATIENCE * 9) == []


def test_more_of_the_same_does_not_put_the_question_off() -> None:
    ordering = Ordering()
    for step in range(20):
        ordering.take(Head(1, 4), [entry(6 + step)], step * PATIENCE / 10)
    assert ordering.wants(PATIENCE) == [Want(CHAT, Head(1, 4))]


def test_another_epoch_waits_and_is_asked_for() -> None:
    ordering = Ordering()
    assert ordering.take(Head(1, 4), [entry(5, 2)], 0.0) == []
    assert ordering.wants(PATIENCE) == [Want(CHAT, Head(1, 4))]
    # The answer said how epoch 2 came about, and the log was brought there.
    assert seqs(ordering.take(Head(2, 4), [entry(6, 2)], 1.0)) == [5, 6]


def test_what_waits_is_bounded() -> None:
    ordering = Ordering()
    first, second = UUID(int=1), UUID(int=2)
    half = order.MAX_HELD // 2 + 1
    ordering.take(Head(1, 0), [entry(n, conversation=first) for n in range(2, 2 + half)], 0.0)
    ordering.take(Head(1, 0), [entry(n, conversation=second) for n in range(2, 2 + half)], 0.0)
    assert len(ordering) == half
    assert [want.conversation for want in ordering.wants(PATIENCE)] == [second]


@given(
    arrivals=st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), max_size=30),
    chats=st.data(),
)
def test_whatever_comes_however_often_the_log_grows_in_order(
    arrivals: list[list[int]], chats: st.DataObject
) -> None:
    ordering = Ordering()
    logs: dict[UUID, list[int]] = {UUID(int=1): [], UUID(int=2): []}
    come: dict[UUID, set[int]] = {id: set() for id in logs}
    for step, arrival in enumerate(arrivals):
        id = chats.draw(st.sampled_from(sorted(logs)))
        come[id].update(arrival)
        logs[id] += seqs(
            ordering.take(
                Head(1, len(logs[id])), [entry(n, conversation=id) for n in arrival], float(step)
            )
        )
        assert logs[id] == list(range(1, len(logs[id]) + 1))
        missing = next(n for n in range(1, 99) if n not in come[id])
        assert len(logs[id]) == missing - 1
    waiting = sum(len([n for n in come[id] if n > len(logs[id])]) for id in logs)
    assert len(ordering) == waiting
