from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.region.clock import AHEAD, ClockSkew, HybridClock, milliseconds


class Wall:
    def __init__(self, at: int = 1_790_000_000_000) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def test_versions_follow_the_wall_clock() -> None:
    wall = Wall()
    clock = HybridClock(wall)
    first = clock.tick()
    wall.at += 7
    assert (milliseconds(first), milliseconds(clock.tick())) == (wall.at - 7, wall.at)


@given(steps=st.lists(st.integers(-70_000, 70_000), max_size=60))
def test_versions_grow_whatever_the_wall_clock_does(steps: list[int]) -> None:
    wall = Wall()
    clock = HybridClock(wall)
    versions = []
    for step in steps:
        wall.at += step
        versions.append(clock.tick())
    assert versions == sorted(set(versions))


@given(skew=st.integers(-60_000, 60_000), turns=st.integers(1, 30))
def test_who_has_seen_a_change_wins_over_it(skew: int, turns: int) -> None:
    """However their clocks differ: effect follows cause."""
    wall = Wall()
    clocks = [HybridClock(wall), HybridClock(lambda: wall.at + skew)]
    latest = 0
    for turn in range(turns):
        clock = clocks[turn % 2]
        clock.seen(latest)
        version = clock.tick()
        assert version > latest
        latest = version


def test_the_far_future_is_refused() -> None:
    wall = Wall()
    clock = HybridClock(wall)
    with pytest.raises(ClockSkew, match="set the clocks"):
        clock.seen((wall.at + AHEAD + 1) << 16)
    assert milliseconds(clock.tick()) == wall.at


def test_a_clock_that_was_stopped_goes_on_from_its_last_version() -> None:
    wall = Wall()
    last = HybridClock(wall).tick()
    wall.at -= 100_000
    assert HybridClock(wall, last).tick() == last + 1
