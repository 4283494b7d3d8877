"""Measuring loss: against a slow and obvious reference, and what the estimate makes of it."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transport.wire import loss
from transport.wire.hedge import CLEAN
from transport.wire.loss import PRIOR, REORDER, REORDER_TIME, LossEstimate, LossMeter


class Reference:
    """What the module says in words: remembers everything, looks at everything again."""

    def __init__(self) -> None:
        self.arrived: list[tuple[int, float]] = []
        self.lost: set[int] = set()
        self.upto = 0

    def note(self, seq: int, now: float) -> None:
        before = [number for number, _ in self.arrived]
        # As the meter does, ages count when a datagram comes, and from the last look.
        self._decide(self._aged(now))
        if seq > max(before, default=0):
            self._decide(seq - REORDER)
        self.arrived.append((seq, now))

    def _aged(self, now: float) -> int:
        return max((n for n, at in self.arrived if now >= at + REORDER_TIME), default=0)

    def _decide(self, upto: int) -> None:
        here = {number for number, _ in self.arrived}
        for seq in range(self.upto + 1, upto + 1):
            if seq not in here:
                self.lost.add(seq)
        self.upto = max(self.upto, upto)

    @property
    def runs(self) -> int:
        return sum(seq - 1 not in self.lost for seq in self.lost)


arrivals = st.lists(
    st.tuples(st.integers(-80, 90), st.sampled_from([0.0, 0.01, 0.1, 0.3])), max_size=60
)


@given(arrivals)
def test_the_meter_counts_what_the_reference_counts(steps: list[tuple[int, float]]) -> None:
    meter, reference = LossMeter(), Reference()
    seq, now, highest = 1, 10.0, 0
    for step, wait in steps:
        seq, now = max(1, highest + step), now + wait
        highest = max(highest, seq)
        meter.note(seq, now)
        reference.note(seq, now)
        # The meter looks at two marks, not at each arrival, so it may decide later, never else.
        assert meter.upto <= reference.upto
        decided = {lost for lost in reference.lost if lost <= meter.upto}
        late = {n for n, _ in reference.arrived} & decided
        assert meter.lost >= len(decided - late)
        assert meter.lost <= len(decided)
        assert 0 <= meter.runs <= meter.lost <= meter.upto
        assert meter._seen.bit_length() <= REORDER


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(0, 2**16))
def test_slightly_reordered_datagrams_are_counted_exactly(came: list[bool], seed: int) -> None:
    dice, meter = random.Random(seed), LossMeter()
    flights = sorted(
        (seq * 0.01 + dice.random() * 0.03, seq) for seq, here in enumerate(came, 1) if here
    )
    for at, seq in flights:
        meter.note(seq, at)
    meter.note(len(came) + 1, 100.0)
    meter.note(len(came) + 2, 101.0)
    lost = [not here for here in came]
    assert meter.upto == len(came) + 1
    assert meter.lost == sum(lost)
    assert meter.runs == sum(
        here and not before for here, before in zip(lost, [False, *lost], strict=False)
    )


def test_a_jump_of_the_peer_costs_nothing() -> None:
    meter = LossMeter()
    for seq in (1, 2**52, 2**53 - 1, 5):
        meter.note(seq, 0.0)
    assert (meter.upto, meter.lost, meter.runs) == (2**53 - 1 - REORDER, 2**53 - 1 - REORDER - 2, 2)
    assert meter._seen.bit_length() <= REORDER


def test_a_report_is_due_when_there_is_news_and_not_too_often() -> None:
    meter, now, reports = LossMeter(), 0.0, []
    for seq in range(1, 2000):
        now = seq * 0.01
        if seq not in (1000, 1001):
            meter.note(seq, now)
        if meter.due(now):
            reports.append((now, meter.upto, meter.lost))
    for before, after in pairwise(reports):
        assert after[0] - before[0] >= loss.REPORT_EVERY
        assert after[1] - before[1] >= loss.REPORT_NEWS
    assert reports[-1][2] == 2
    assert not meter.due(now + 10), "nothing new"


def test_without_evidence_the_estimate_is_the_prior_and_it_forgets_towards_it() -> None:
    estimate = LossEstimate()
    assert estimate.loss(0.0) == PRIOR
    assert estimate.report(1000, 0, 0, 1.0)
    assert estimate.loss(1.0).lost < 0.001
    assert estimate.loss(3600.0).lost > 0.9 * PRIOR.lost
    assert estimate.report(2000, 500, 50, 3600.0)
    assert estimate.loss(3600.0).again > 0.8
    assert abs(estimate.loss(9999.0).lost - PRIOR.lost) < 0.01


def test_the_estimate_finds_what_the_path_does() -> None:
    dice = random.Random(5)
    for share, mean in ((0.03, 1 / 0.97), (0.05, 2.5), (0.2, 4.0)):
        meter, estimate, bad = LossMeter(), LossEstimate(), False
        for seq in range(1, 20_000):
            bad = dice.random() < (1 - 1 / mean if bad else share / (1 - share) / mean)
            if not bad:
                meter.note(seq, seq / 100)
            if meter.due(seq / 100):
                assert estimate.report(meter.upto, meter.lost, meter.runs, seq / 100)
        found = estimate.loss(200.0)
        assert share / 2 < found.lost < share * 2
        assert abs(found.again - (1 - 1 / mean)) < 0.15


def test_a_way_that_turns_bad_is_seen_soon_and_believed_good_late() -> None:
    estimate = LossEstimate()
    assert estimate.report(5000, 0, 0, 1.0)
    clean = estimate.loss(1.0).lost
    assert estimate.report(5020, 1, 1, 2.0)
    one = estimate.loss(2.0).lost
    assert one > CLEAN > clean
    assert estimate.report(5040, 1, 1, 3.0)
    assert clean < estimate.loss(3.0).lost < one


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))))
def test_reports_that_are_old_or_cannot_be_true_change_nothing(
    reports: list[tuple[int, int, int]],
) -> None:
    estimate, last = LossEstimate(), (0, 0, 0)
    for report in reports:
        sent, lost, runs = (new - old for new, old in zip(report, last, strict=True))
        fits = sent > 0 and 0 <= runs <= lost <= sent
        before = estimate.loss(1.0)
        assert estimate.report(*report, 1.0) == fits
        if fits:
            last = report
        else:
            assert estimate.loss(1.0) == before
        share, again = estimate.loss(1.0)
        assert 0 < share < 1
        assert 0 < again < 1
