from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.people import Caller, Role, parse, who

SOMEBODY = "0190b3a0-7c4e-7d3a-9b1e-0a1b2c3d4e5f"


@given(st.sampled_from(Role), st.uuids())
def test_ids_round_trip(role: Role, id: UUID) -> None:
    assert parse(who(role, id)) == (role, id)


@given(st.text())
def test_anything_else_is_nobody(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    ["s:system", "v:", f"x:{SOMEBODY}", f"v:{{{SOMEBODY}}}"[:38], f"v:{SOMEBODY} ", SOMEBODY],
)
def test_near_misses_are_nobody(text: str) -> None:
    assert parse(text) is None


def test_an_id_has_one_spelling() -> None:
    id = UUID("abcdefab-0000-7000-8000-000000000000")
    assert parse(f"v:{str(id).upper()}") is None


def test_a_caller_knows_its_id() -> None:
    id = uuid4()
    assert Caller(Role.AGENT, id, "demo").who == f"a:{id}"
