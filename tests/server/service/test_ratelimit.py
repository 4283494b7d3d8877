import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.service.ratelimit import Bucket, Buckets, Rate


@given(
    st.lists(st.floats(0, 0.5, allow_nan=False), max_size=200),
    st.integers(1, 20),
    st.floats(0.5, 20),
)
def test_never_more_than_burst_and_rate(gaps: list[float], burst: int, rate: float) -> None:
    bucket, now, passed = Bucket(Rate(rate, burst), 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) == 0.0
        assert passed <= burst + rate * now + 1e-6


def test_the_wait_it_names_is_enough() -> None:
    bucket = Bucket(Rate(5, 2), 0.0)
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0]
    wait = bucket.take(0.0)
    assert wait == pytest.approx(0.2)
    assert bucket.take(wait / 2) > 0
    assert bucket.take(wait + 1e-9) == 0.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(Rate(1, 1), 100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) > 0
    assert bucket.take(100.5) > 0


def test_what_is_given_back_can_be_taken() -> None:
    buckets = Buckets(Rate(0.001, 1))
    assert buckets.take("a", 0.0) == 0.0
    buckets.give_back("a")
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0
    buckets.give_back("nobody")


def test_keys_are_bounded_and_the_oldest_is_forgotten() -> None:
    buckets = Buckets(Rate(0.001, 1), max_keys=3)
    for key in "abca":
        buckets.take(key, 0.0)
    buckets.take("d", 0.0)  # Forgets b: a was used after it.
    assert len(buckets) == 3
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0.0
