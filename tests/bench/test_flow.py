"""What a flow meets: delay, order, loss, bursts, rate. Pure: no clock, no sockets."""

from __future__ import annotations

from itertools import groupby
from random import Random

import pytest

from bench.network.flow import Drop, Flow
from bench.network.shape import Shape

PACKETS = 100_000


def fates(shape: Shape, count: int, gap: float = 0.01, size: int = 100) -> list[float | Drop]:
    """What becomes of packets sent every `gap` seconds: how long each takes, or why it does not."""
    flow, out = Flow(Random(7)), list[float | Drop]()
    for number in range(count):
        due = flow.admit(size, shape, number * gap)
        out.append(due if isinstance(due, Drop) else due - number * gap)
    return out


def test_a_shape_without_anything_lets_everything_through_at_once() -> None:
    assert fates(Shape(), 100) == pytest.approx([0.0] * 100)


def test_delay_and_jitter_stay_within_their_bounds_and_fill_them() -> None:
    took = [
        fate
        for fate in fates(Shape(delay=0.1, jitter=0.01), 2_000, gap=1)
        if fate.__class__ is float
    ]
    assert min(took) == pytest.approx(0.1, abs=1e-4)
    assert max(took) == pytest.approx(0.11, abs=1e-4)
    assert sum(took) / len(took) == pytest.approx(0.105, abs=5e-4)


def test_jitter_never_reorders_a_flow() -> None:
    flow, shape, random = Flow(Random(7)), Shape(delay=0.1, jitter=0.05), Random(8)
    at, arrivals = 0.0, []
    for _ in range(1_000):
        at += random.uniform(0, 0.01)
        arrivals.append(flow.admit(100, shape, at))
    assert arrivals == sorted(arrivals)  # type: ignore[type-var]


def test_reordered_packets_are_late_and_hold_up_nobody() -> None:
    took = fates(Shape(delay=0.1, reorder=0.1, reorder_by=0.5), 5_000)
    late = [fate for fate in took if fate == pytest.approx(0.6)]
    assert 400 < len(late) < 600
    assert len(late) + sum(fate == pytest.approx(0.1) for fate in took) == 5_000


@pytest.mark.parametrize(("loss", "burst"), [(0.03, None), (0.05, 2.5), (0.3, 4.0), (0.02, 1.0)])
def test_loss_and_bursts_are_what_was_asked(loss: float, burst: float | None) -> None:
    lost = [fate is Drop.LOST for fate in fates(Shape(loss=loss, burst=burst), PACKETS)]
    runs = [len(list(run)) for bad, run in groupby(lost) if bad]
    # Bursts make the count vary more: by about twice their length.
    spread = (loss * (1 - loss) * 2 * (burst or 1) / PACKETS) ** 0.5
    assert sum(lost) / PACKETS == pytest.approx(loss, abs=4 * spread)
    assert sum(runs) / len(runs) == pytest.approx(burst or 1 / (1 - loss), rel=0.1)


def test_flows_do_not_share_a_burst() -> None:
    shape, random = Shape(loss=0.2, burst=20), Random(3)
    flows = [Flow(random) for _ in range(2)]
    lost = [[flow.admit(100, shape, at) is Drop.LOST for flow in flows] for at in range(20_000)]
    both = sum(one and other for one, other in lost) / len(lost)
    assert both == pytest.approx(0.04, abs=0.02)


def test_a_rate_spaces_packets_and_its_queue_drops_what_does_not_fit() -> None:
    flow, shape = Flow(Random(1)), Shape(rate=80_000, queue=1_000)  # A packet of 100 in 10 ms.
    due = [flow.admit(100, shape, 0.0) for _ in range(12)]
    assert due[:10] == pytest.approx([0.01 * n for n in range(1, 11)])
    assert due[10:] == [Drop.QUEUE, Drop.QUEUE]
    assert flow.admit(100, shape, 0.05) == pytest.approx(0.11)


@pytest.mark.parametrize(
    "wrong",
    [{"loss": 1.0}, {"delay": -1.0}, {"loss": 0.9, "burst": 1.0}, {"rate": 0.0}, {"reorder": 2.0}],
)
def test_what_no_network_can_do_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Shape(**wrong)  # type: ignore[arg-type]
