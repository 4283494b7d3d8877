import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.capacity import MAX_CAPACITY, capacity, with_capacity


@given(st.dictionaries(st.text(), st.text()), st.none() | st.integers(0, MAX_CAPACITY))
def test_it_comes_back_and_the_rest_stays(rest: dict[str, str], value: int | None) -> None:
    before = msgspec.json.encode(rest).decode()
    after = with_capacity(before, value)
    assert capacity(after) == value
    kept = {name: text for name, text in rest.items() if name != "capacity"}
    found = msgspec.json.decode(after)
    found.pop("capacity", None)
    assert found == kept


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "{}",
        "[]",
        "nonsense",
        '{"capacity": true}',
        '{"capacity": "3"}',
        '{"capacity": -1}',
        '{"capacity": 2.5}',
        '{"capacity": null}',
        f'{{"capacity": {MAX_CAPACITY + 1}}}',
    ],
)
def test_what_is_no_limit(settings: str) -> None:
    assert capacity(settings) is None
