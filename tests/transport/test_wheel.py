"""The wheel against a plain list of deadlines, with the time as an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transport.wheel import HORIZON, MAX_LATE, SLOTS, TICK, Timer, Wheel

GRACE = 1e-6
waits = st.one_of(
    st.floats(0, 0.3), st.floats(0, 70), st.floats(0, 20_000), st.just(HORIZON * TICK * 3)
)
steps = st.one_of(st.floats(0, 0.02), st.floats(0, 1), st.floats(0, 300), st.floats(0, 20_000))
moves = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), waits),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0.0)),
        st.tuples(st.just("pass"), st.just(0), steps),
    ),
    max_size=60,
)


def latest(wait: float) -> float:
    """By how much a timer that waits so long may be late."""
    return min(max(wait, 0) / 64, MAX_LATE) + 2 * TICK + GRACE


@given(start=st.floats(0, 1e6), moves=moves)
def test_as_a_list_of_deadlines_would(start: float, moves: list[tuple[str, int, float]]) -> None:
    now = start
    wheel: Wheel[Timer] = Wheel(now)
    timers = [Timer() for _ in range(10)]
    deadlines: dict[Timer, tuple[float, float]] = {}
    for what, which, amount in moves:
        timer = timers[which]
        if what == "set":
            wheel.set(timer, now + amount, now)
            deadlines[timer] = (now + amount, now + amount + latest(amount))
        elif what == "cancel":
            wheel.cancel(timer)
            deadlines.pop(timer, None)
        else:
            now += amount
            for due in list(wheel.expire(now)):
                assert deadlines.pop(due)[0] <= now + GRACE
            assert all(last > now for _, last in deadlines.values())
        assert len(wheel) == len(deadlines)
        assert [timer.armed for timer in timers] == [timer in deadlines for timer in timers]


@given(start=st.floats(0, 1e6), wait=waits)
def test_coming_back_when_told_finds_it_in_time(start: float, wait: float) -> None:
    wheel: Wheel[Timer] = Wheel(start)
    timer = Timer()
    wheel.set(timer, start + wait, start)
    for _ in range(16):
        back = wheel.next()
        assert back is not None
        if list(wheel.expire(back)) == [timer]:
            assert start + wait - GRACE <= back <= start + wait + latest(wait)
            break
    else:
        raise AssertionError("never due")
    assert wheel.next() is None


def test_lane_gaps_are_exact_to_a_tick_and_heartbeats_fall_due_together() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    wheel.set(Timer(), 0.015, 0)
    assert wheel.next() == 0.015
    list(wheel.expire(1))
    for number in range(200):
        wheel.set(Timer(), 26 + number / 1000, 1)
    groups = 0
    while (back := wheel.next()) is not None:
        groups += bool(list(wheel.expire(back)))
    assert groups <= 2


def test_one_tick_falls_due_in_the_order_it_was_set() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    timers = [Timer() for _ in range(5)]
    for timer in reversed(timers):
        wheel.set(timer, 0.01, 0)
    assert list(wheel.expire(0.01)) == timers[::-1]


def test_what_rings_may_set_itself_again_for_now_and_does_not_spin() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    timer = Timer()
    wheel.set(timer, 0.01, 0)
    rang = 0
    for due in wheel.expire(0.01):
        rang += 1
        wheel.set(due, 0.0, 0.01)
    assert rang == 1
    assert list(wheel.expire(0.011)) == [timer]


def test_a_stop_in_the_middle_leaves_the_rest_due() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    timers = [Timer() for _ in range(3)]
    for timer in timers:
        wheel.set(timer, 0.01, 0)
    first = wheel.expire(0.02)
    assert next(first) is timers[0]
    first.close()
    assert len(wheel) == 2
    assert list(wheel.expire(0.02)) == timers[1:]


def test_a_cancelled_one_is_not_handed_over_even_by_its_neighbour() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    first, second = Timer(), Timer()
    wheel.set(first, 0.01, 0)
    wheel.set(second, 0.01, 0)
    for _ in wheel.expire(0.01):
        wheel.cancel(second)
    assert not second.armed


def test_moving_many_costs_no_room() -> None:
    wheel: Wheel[Timer] = Wheel(0)
    timers = [Timer() for _ in range(100)]
    for turn in range(50):
        for number, timer in enumerate(timers):
            wheel.set(timer, turn + number * 0.1, 0)
    assert len(wheel) == 100
    assert sum(len(slot) for level in wheel._levels for slot in level) == 100
    assert [len(level) for level in wheel._levels] == [SLOTS] * 3
