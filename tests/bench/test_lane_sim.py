"""What adaptive hedging must achieve, on a simulated path with seeded dice. No clock is read."""

from __future__ import annotations

import pytest

from bench.lane_sim import ONE_WAY, PATHS, Outcome, simulate

MESSAGES = 3000
"""Of each side: six of 6,000 may be later than p99.9."""


@pytest.fixture(scope="module", params=["3 % random", "5 % in bursts of 2.5"])
def pair(request: pytest.FixtureRequest) -> tuple[Outcome, Outcome]:
    """(adaptive, fixed) on one path."""
    path = PATHS[request.param]
    return simulate(path, MESSAGES, seed=11), simulate(path, MESSAGES, seed=11, adapt=False)


def test_p99_is_near_the_propagation_delay_and_no_worse_than_the_fixed_schedule(
    pair: tuple[Outcome, Outcome],
) -> None:
    adaptive, fixed = pair
    assert adaptive.quantile(0.99) <= 1.35 * ONE_WAY
    # On 3 % random loss adapting gives what the fixed schedule is: the same, but for the dice.
    assert adaptive.quantile(0.99) <= fixed.quantile(0.99) + 0.005
    assert adaptive.quantile(0.999) <= fixed.quantile(0.999) + 0.015


def test_bursts_are_outlived_by_copies() -> None:
    path = PATHS["5 % in bursts of 2.5"]
    adaptive = simulate(path, MESSAGES, seed=12)
    fixed = simulate(path, MESSAGES, seed=12, adapt=False)
    alone = simulate(path, MESSAGES, seed=12, hedge=False)
    for share in (0.99, 0.999):  # The time in which it learns is among them.
        assert adaptive.quantile(share) < 0.75 * fixed.quantile(share)
        assert adaptive.quantile(share) < 0.6 * alone.quantile(share)
    assert adaptive.copies > 8


def test_a_clean_path_carries_little_more_than_one_copy() -> None:
    clean = simulate(PATHS["clean"], MESSAGES, seed=11)
    fixed = simulate(PATHS["clean"], MESSAGES, seed=11, adapt=False)
    assert 1 < clean.copies < 1.3
    assert fixed.copies == pytest.approx(3, abs=0.01)
    assert clean.quantile(1.0) < ONE_WAY + 0.011
    assert clean.bytes < 0.6 * fixed.bytes


def test_the_same_seed_gives_the_same_figures() -> None:
    path = PATHS["10 % random"]
    assert simulate(path, 200, seed=3) == simulate(path, 200, seed=3)
    assert simulate(path, 200, seed=3) != simulate(path, 200, seed=4)
