"""When a pause is worth a question."""

from __future__ import annotations

from transport.quic.lull import AGAIN, EARLY_WITHIN, QUICKEST, RHYTHM, Lull

HALF, LONGEST = 0.1, 0.9


class Heard:
    """A lull and a clock; packets come at a steady pace."""

    def __init__(self) -> None:
        self.lull = Lull()
        self.now = 100.0

    def packets(self, seconds: float, every: float = 0.01, *, asks: bool = True) -> None:
        for _ in range(round(seconds / every)):
            self.now += every
            self.lull.heard(self.now, HALF, LONGEST, asks=asks)

    @property
    def waits(self) -> float:
        assert self.lull.ends is not None
        return round(self.lull.ends - self.now, 6)


def test_without_a_rhythm_half_a_round_trip_is_a_lull() -> None:
    heard = Heard()
    heard.packets(RHYTHM / 2)
    assert heard.waits >= HALF
    assert not heard.lull.early


def test_in_a_rhythm_less_is() -> None:
    heard = Heard()
    heard.packets(3 * RHYTHM)
    assert QUICKEST <= heard.waits < HALF / 2
    assert heard.lull.early


def test_who_pauses_often_is_given_longer() -> None:
    quick, slow = Heard(), Heard()
    quick.packets(3 * RHYTHM)
    slow.packets(3 * RHYTHM)
    slow.now += HALF * 0.6
    slow.packets(0.05)
    assert slow.waits > 2 * quick.waits


def test_an_early_question_is_asked_twice() -> None:
    heard = Heard()
    heard.packets(3 * RHYTHM)
    heard.now += heard.waits
    heard.lull.asked(heard.now)
    assert heard.waits == AGAIN
    heard.lull.asked(heard.now + AGAIN)
    assert heard.lull.ends is None


def test_two_lulls_a_second_are_asked_about_early() -> None:
    heard = Heard()
    heard.packets(3 * RHYTHM)
    for _ in range(2):
        assert heard.lull.early
        heard.lull.asked(heard.now)
        heard.packets(EARLY_WITHIN / 5)
    assert not heard.lull.early
    assert heard.waits >= HALF
    heard.packets(EARLY_WITHIN)
    assert heard.lull.early


def test_a_late_question_is_asked_once() -> None:
    heard = Heard()
    heard.packets(0.05)
    heard.lull.asked(heard.now + 1.0)
    assert heard.lull.ends is None


def test_what_wants_no_answer_begins_no_lull() -> None:
    heard = Heard()
    heard.packets(0.05, asks=False)
    assert heard.lull.ends is None


def test_after_a_pause_the_rhythm_begins_anew() -> None:
    heard = Heard()
    heard.packets(3 * RHYTHM)
    heard.now += 2 * HALF
    heard.packets(0.05)
    assert not heard.lull.early
