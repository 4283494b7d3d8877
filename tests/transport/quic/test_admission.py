from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.quic.admission import Admission, Limits, Place, Verdict

SMALL = Limits(
    connections=8,
    handshakes=6,
    retry_above=4,
    handshakes_per_address=3,
    retry_above_per_address=2,
    connections_per_address=4,
)


def at(host: str) -> tuple[str, int]:
    return host, 1000


def test_above_the_threshold_an_address_must_be_proven() -> None:
    admission = Admission(SMALL)
    for number in range(4):
        assert admission.judge(at(f"192.0.2.{number}"), proven=False) is Verdict.ACCEPT
        admission.begin(at(f"192.0.2.{number}"))
    assert admission.judge(at("192.0.2.9"), proven=False) is Verdict.RETRY
    assert admission.judge(at("192.0.2.9"), proven=True) is Verdict.ACCEPT


def test_the_proven_have_a_bound_too() -> None:
    admission = Admission(SMALL)
    for number in range(6):
        admission.begin(at(f"192.0.2.{number}"))
    assert admission.judge(at("192.0.2.9"), proven=True) is Verdict.REFUSE
    assert admission.judge(at("192.0.2.9"), proven=False) is Verdict.RETRY


def test_whoever_sends_in_our_name_cannot_lock_us_out() -> None:
    admission = Admission(SMALL)
    victim = at("192.0.2.1")
    for _ in range(SMALL.retry_above_per_address):
        admission.begin(victim)
    for _ in range(100):
        assert admission.judge(victim, proven=False) is Verdict.RETRY
    assert admission.judge(victim, proven=True) is Verdict.ACCEPT
    assert admission.judge(at("192.0.2.2"), proven=False) is Verdict.ACCEPT


def test_connections_of_an_address_are_capped() -> None:
    admission = Admission(SMALL)
    places = [admission.begin(at("192.0.2.1")) for _ in range(4)]
    for place in places:
        admission.complete(place)
    assert admission.judge(at("192.0.2.1"), proven=True) is Verdict.REFUSE
    assert admission.judge(at("192.0.2.2"), proven=False) is Verdict.ACCEPT
    admission.end(places[0])
    assert admission.judge(at("192.0.2.1"), proven=False) is Verdict.ACCEPT


def test_a_network_of_ipv6_is_one_address() -> None:
    admission = Admission(SMALL)
    for number in range(2):
        admission.begin(at(f"2001:db8:1:2::{number}"))
    assert admission.judge(at("2001:db8:1:2:3:4:5:6"), proven=False) is Verdict.RETRY
    assert admission.judge(at("2001:db8:1:3::1"), proven=False) is Verdict.ACCEPT


def test_ipv4_through_an_ipv6_socket_is_ipv4() -> None:
    admission = Admission(SMALL)
    admission.begin(at("::ffff:192.0.2.1"))
    admission.begin(at("192.0.2.1"))
    assert admission.addresses == 1
    assert admission.judge(at("::ffff:192.0.2.1"), proven=False) is Verdict.RETRY


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback_counts_for_the_totals_only(host: str) -> None:
    admission = Admission(SMALL)
    for _ in range(3):
        assert admission.judge(at(host), proven=False) is Verdict.ACCEPT
        admission.begin(at(host))
    assert (admission.total, admission.addresses) == (3, 0)
    counted = Admission(Limits(loopback_exempt=False))
    counted.begin(at(host))
    assert counted.addresses == 1


@given(st.lists(st.tuples(st.sampled_from("bce"), st.integers(0, 5))))
def test_nothing_is_left_when_all_are_gone(steps: list[tuple[str, int]]) -> None:
    admission = Admission(SMALL)
    places: list[Place] = []
    for what, number in steps:
        if what == "b":
            places.append(admission.begin(at(f"192.0.2.{number}")))
        elif what == "c" and places:
            admission.complete(places[number % len(places)])
        elif places:
            admission.end(places.pop(number % len(places)))
        assert admission.total == len(places)
        assert admission.half_open == sum(not place.done for place in places)
        assert admission.addresses == len({place.key for place in places})
    for place in places:
        admission.end(place)
    assert (admission.total, admission.half_open, admission.addresses) == (0, 0, 0)
