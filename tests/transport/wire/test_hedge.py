"""The table of plans, the choice from it, and the budget."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from transport.wire import hedge
from transport.wire.hedge import PLANS, Budget, plan
from transport.wire.loss import PRIOR, Loss

share = st.floats(0, 1)


@given(share, share, share, share)
def test_more_loss_or_longer_bursts_never_mean_fewer_copies(
    p: float, q: float, more_p: float, more_q: float
) -> None:
    worse = Loss(max(p, more_p), max(q, more_q))
    assert plan(worse).copies >= plan(Loss(p, q)).copies


@given(share, share)
def test_the_copies_are_the_fewest_that_keep_the_promise(p: float, q: float) -> None:
    copies = plan(Loss(p, q)).copies
    if 2 < copies < hedge.MAX_COPIES:
        assert p * q ** (copies - 2) > hedge.TARGET * 0.999
    if 1 < copies < hedge.MAX_COPIES:
        assert p * q ** (copies - 1) <= hedge.TARGET * 1.001


def test_plans_at_the_corners() -> None:
    assert plan(Loss(0.0, 0.9)).copies == 1
    assert plan(Loss(hedge.CLEAN, 1.0)).copies == 1
    assert plan(Loss(0.03, 0.03)).copies == 3
    assert plan(Loss(0.05, 0.6)).copies == 12
    assert plan(Loss(1.0, 1.0)).copies == hedge.MAX_COPIES
    assert plan(PRIOR).copies == 9, "before any report: what bursts of two packets need"


def test_the_table() -> None:
    for copies, row in enumerate(PLANS, 1):
        assert row.copies == copies
        assert sum(row.gaps) <= hedge.SPREAD + 1e-9
        assert 0 <= row.stream < copies
        assert all(gap >= 0.005 for gap in row.gaps)
        assert all(one <= two for one, two in pairwise(row.gaps)), "ever further apart"
    for fewer, more in pairwise(PLANS):
        times = zip(accumulate(fewer.gaps), accumulate(more.gaps), strict=False)
        assert all(late <= early + 1e-9 for early, late in times)


@given(st.lists(st.tuples(st.integers(1, 1200), st.integers(0, 11), st.floats(0, 2))))
def test_the_budget_is_never_overdrawn(spends: list[tuple[int, int, float]]) -> None:
    budget, spent, now = Budget(), 0, 0.0
    for size, wanted, wait in spends:
        now += wait
        got = budget.take(size, wanted, now)
        assert 0 <= got <= wanted
        spent += got * size
        assert spent <= hedge.BUDGET_BURST + now * hedge.BUDGET_RATE + 1


def test_the_budget_gives_what_it_has() -> None:
    budget = Budget()
    assert budget.take(hedge.BUDGET_BURST // 2, 3, 0.0) == 2
    assert budget.take(1000, 1, 0.0) == 0
    assert budget.take(hedge.BUDGET_RATE, 3, 1.0) == 1
    assert budget.take(hedge.BUDGET_BURST, 1, 1e6) == 1
