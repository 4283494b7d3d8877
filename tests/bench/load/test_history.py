from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.history import Breaches, Sent, check
from bench.load.ledger import Row


def sent(number: int, begin: int, end: int | None, seq: int | None = None, by: int = 0) -> Sent:
    return Sent(by, UUID(int=number), begin, end, seq)


def log(*numbers: int) -> list[Row]:
    return [Row(seq, UUID(int=number)) for seq, number in enumerate(numbers, 1)]


GOOD = [sent(1, 0, 10, 1), sent(2, 1, 9, 2, by=1), sent(3, 11, 20, 3), sent(4, 12, None, by=1)]


def test_a_good_history() -> None:
    assert check(log(1, 2, 3), GOOD) == Breaches()
    assert check(log(1, 2, 3, 4), GOOD) == Breaches(), "what was not answered may be there"


@pytest.mark.parametrize(
    ("rows", "sends", "breach"),
    [
        (log(1, 2), GOOD, Breaches(lost=1)),
        (log(1, 2, 3, 1), GOOD, Breaches(doubled=1)),
        (log(1, 2, 3, 9), GOOD, Breaches(strange=1)),
        ([*log(1, 2, 3), Row(5, UUID(int=4))], GOOD, Breaches(holes=1)),
        (log(1, 2), [sent(1, 0, 5, 1), sent(2, 0, 5, 1, by=1)], Breaches(moved=1)),
        (log(2, 1), [sent(1, 0, 5, 2), sent(2, 6, 9, 1, by=1)], Breaches(late=1)),
        (log(2, 1), [sent(1, 0, 9, 2), sent(2, 1, 9, 1)], Breaches(disordered=1)),
    ],
)
def test_each_breach_is_seen(rows: list[Row], sends: list[Sent], breach: Breaches) -> None:
    found = check(rows, sends)
    assert {name for name in found.__struct_fields__ if getattr(found, name)} >= {
        name for name in breach.__struct_fields__ if getattr(breach, name)
    }
    assert found.total


@given(
    instants=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 50)), max_size=30
    )
)
def test_whatever_a_real_log_does_passes(instants: list[tuple[int, int, int]]) -> None:
    """Senders act one after the other; each send takes effect at an instant within its interval."""
    clock = dict.fromkeys(range(4), 0)
    sends = []
    for number, (sender, before, after) in enumerate(instants):
        begin = clock[sender] + 1
        effect = begin + before
        clock[sender] = effect + after
        sends.append((effect, number, Sent(sender, UUID(int=number), begin, effect + after)))
    rows = [
        Row(seq, send.client_id)
        for seq, (_, _, send) in enumerate(sorted(sends, key=lambda s: s[:2]), 1)
    ]
    places = {row.client_id: row.seq for row in rows}
    told = [
        Sent(s.sender, s.client_id, s.sent, s.accepted, places[s.client_id]) for _, _, s in sends
    ]
    assert check(rows, told) == Breaches()
