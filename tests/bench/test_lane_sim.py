"""What adaptive hedging must achieve, on a simulated path with seeded dice. No clock is read."""

from __future__ import annotations

import pytest

from bench.lane_sim import ONE_WAY, PATHS, simulate

MESSAGES = 3000
"""Of each side: six of 6,000 may be later than p99.9."""


@pytest.mark.parametrize("path", ["3 % random", "5 % in bursts of 2.5"])
def test_a_lossy_path_is_hardly_felt(path: str) -> None:
    adaptive = simulate(PATHS[path], MESSAGES, seed=11)
    alone = simulate(PATHS[path], MESSAGES, seed=11, hedge=False)
    assert adaptive.quantile(0.99) <= 1.3 * ONE_WAY
    assert adaptive.quantile(0.999) <= 2 * ONE_WAY  # The time in which it learns is among them.
    assert adaptive.quantile(0.99) < 0.5 * alone.quantile(0.99)


def test_copies_follow_the_length_of_bursts() -> None:
    few = simulate(PATHS["3 % random"], MESSAGES, seed=12)
    many = simulate(PATHS["5 % in bursts of 2.5"], MESSAGES, seed=12)
    as_at_first = simulate(PATHS["5 % in bursts of 2.5"], MESSAGES, seed=12, adapt=False)
    assert 3 <= few.copies < 5
    assert as_at_first.copies == pytest.approx(9, abs=0.01)
    assert many.copies > 10
    assert few.bytes < 0.6 * as_at_first.bytes


def test_a_clean_path_carries_little_more_than_one_copy() -> None:
    clean = simulate(PATHS["clean"], MESSAGES, seed=11)
    fixed = simulate(PATHS["clean"], MESSAGES, seed=11, adapt=False)
    assert 1 < clean.copies < 1.3
    assert clean.quantile(1.0) < ONE_WAY + 0.011
    assert clean.bytes < 0.2 * fixed.bytes


def test_the_same_seed_gives_the_same_figures() -> None:
    path = PATHS["10 % random"]
    assert simulate(path, 200, seed=3) == simulate(path, 200, seed=3)
    assert simulate(path, 200, seed=3) != simulate(path, 200, seed=4)
