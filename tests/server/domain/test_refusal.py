import pytest

from server.domain.refusal import Code, Refusal

FINAL = {
    Code.CONFLICT,
    Code.INVALID,
    Code.TOO_LARGE,
    Code.FORBIDDEN,
    Code.NOT_FOUND,
    Code.AT_CAPACITY,
    Code.UNKNOWN_KIND,
    Code.UNKNOWN_METHOD,
}


@pytest.mark.parametrize("code", Code)
def test_final_codes_carry_no_retry(code: Code) -> None:
    assert (Refusal(code, "why", 7).retry_after is None) == (code in FINAL)
    assert (Refusal(code, "why").retry_after is None) == (code in FINAL)


def test_who_refuses_may_know_better_when_to_retry() -> None:
    assert Refusal(Code.BUSY, "full", 1234).retry_after == 1234
