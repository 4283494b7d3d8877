import pytest

from server.live.admission import Admission, network


def test_sessions_are_counted_in_all_and_per_address() -> None:
    admission = Admission(3, 2)
    assert [admission.enter("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert admission.enter("10.0.0.2")
    assert not admission.enter("10.0.0.3")
    admission.leave("10.0.0.1")
    assert admission.enter("10.0.0.3")
    assert admission.sessions == 3


def test_who_has_gone_is_forgotten() -> None:
    admission = Admission(3, 2)
    admission.enter("10.0.0.1")
    admission.leave("10.0.0.1")
    assert admission.sessions == 0
    assert not admission._by_address


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("memory", "memory", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same
