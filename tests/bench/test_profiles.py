"""The table of networks: what it says of itself is so."""

from __future__ import annotations

import re

import pytest

from bench.network import Shape
from bench.profiles import PROFILES, Profile, UnknownProfile, profile


def test_the_promised_networks_are_there() -> None:
    assert {"fibre", "cn-us", "cn-br-mobile", "metro-tunnel", "lossy-3", "bursty-5"} <= set(
        PROFILES
    )


def test_the_yardsticks_are_what_the_promises_name() -> None:
    lossy, bursty = profile("lossy-3"), profile("bursty-5")
    assert lossy.up == lossy.down == Shape(delay=0.1, jitter=0.01, loss=0.03)
    assert bursty.up == bursty.down == Shape(delay=0.1, jitter=0.01, loss=0.05, burst=2.5)


@pytest.mark.parametrize("each", PROFILES.values(), ids=lambda each: each.name)
def test_a_profile_is_sane(each: Profile) -> None:
    for shape in (each.up, each.down):
        assert 0 < shape.delay < 0.5
        assert shape.jitter <= shape.delay
        assert shape.loss < 0.2
        assert shape.rate is None or shape.rate >= 500_000
    assert each.basis.endswith(".")
    assert PROFILES[each.name] is each


@pytest.mark.parametrize("each", PROFILES.values(), ids=lambda each: each.name)
def test_the_round_trip_it_speaks_of_is_the_one_it_has(each: Profile) -> None:
    if (said := re.search(r"(\d+) ms RTT", each.about)) is not None:
        assert (each.up.delay + each.down.delay) * 1000 == pytest.approx(int(said[1]))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownProfile, match=r"lossy-3.*fibre"):
        profile("carrier-pigeon")
