"""What `tradewind bench relay` makes of what both ends tell, and a short run of it."""

from __future__ import annotations

import pytest

from bench.load.region import Told
from bench.profiles import Profile, profile
from bench.scenarios.relay import WARM, Load, lags, measure, result
from transport.links.base import LinkStats

STATS = LinkStats(
    rtt=0.2,
    loss=0.03,
    copies=4,
    sent=3,
    received=3,
    bytes_sent=0,
    bytes_received=0,
    copies_sent=0,
    copies_useful=0,
    copies_unpaid=0,
    waiting=0,
)


def told(sent: dict[int, int], received: dict[int, int], doubled: int = 0) -> Told:
    return Told(sent=sent, received=received, doubled=doubled, stats=STATS, cpu=1.0)


def test_lags_begin_after_the_warm_up() -> None:
    second = 1_000_000_000
    late = int(WARM * second)
    source = told({0: 0, 1: late, 2: late + second, 3: late + 2 * second}, {})
    target = told({}, {0: 1, 1: late + 110_000_000, 3: late + 2 * second + 100_000_000})
    assert lags(source, target) == ((100.0, 110.0), 1)


async def test_a_short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.scenarios.relay.WARM", 0.5)
    monkeypatch.setattr("bench.scenarios.relay.GATHER", 1.0)
    network: Profile = profile("lossy-3")
    load = Load(rate=50, seconds=1.0, size=100, seed=1)
    outcomes = await measure(network, load, ["quic", "tcp-bbr"])
    for one in outcomes.values():
        assert (one.missing, one.doubled) == (0, 0)
        assert one.up[0] >= 100 <= one.down[0]
        assert one.link.up.lost > 0
    assert outcomes["quic"].dialler.stats.copies > 1
    shown = result(network, load, outcomes)
    assert [row[0] for row in shown.tables[0].rows] == ["quic", "tcp-bbr"]
