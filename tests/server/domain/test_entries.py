from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import entries
from server.domain.people import Role
from server.domain.refusal import Code, Refusal


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def refusal(kind: str, value: object) -> Code:
    with pytest.raises(Refusal) as caught:
        entries.parse(kind, pack(value))
    return caught.value.code


GOOD = [
    ("message", {"text": "hello"}),
    ("edit", {"seq": 3, "text": "hello"}),
    ("deletion", {"seq": 3}),
    ("note", {"text": "a regular"}),
    ("assignment", {"agent": f"a:{uuid4()}"}),
    ("assignment", {"agent": None}),
    ("status", {"status": "closed"}),
    ("read", {"seq": 9}),
    ("rating", {"score": 5}),
    ("rating", {"score": 1, "comment": "late"}),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_encoding_is_a_fixed_point(kind: str, value: object) -> None:
    data = entries.encode(entries.parse(kind, pack(value)))
    assert entries.encode(entries.parse(kind, data)) == data
    assert entries.stored(kind, data) == entries.parse(kind, data)


def test_equal_meaning_is_equal_bytes() -> None:
    one = entries.parse("edit", pack({"seq": 3, "text": "  hello\n"}))
    other = entries.parse("edit", b"\x82\xa4text\xa5hello\xa3seq\xcd\x00\x03")
    assert entries.encode(one) == entries.encode(other)
    plain = entries.parse("rating", pack({"score": 4}))
    spelled = entries.parse("rating", pack({"comment": " ", "score": 4}))
    assert entries.encode(plain) == entries.encode(spelled)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("message", {}),
        ("message", {"text": 5}),
        ("message", {"text": " \n\t "}),
        ("message", {"text": "hello", "color": "red"}),
        ("message", ["hello"]),
        ("edit", {"seq": 0, "text": "x"}),
        ("edit", {"seq": -1, "text": "x"}),
        ("edit", {"seq": 2**60, "text": "x"}),
        ("deletion", {"seq": "3"}),
        ("assignment", {"agent": f"v:{uuid4()}"}),
        ("assignment", {"agent": "somebody"}),
        ("assignment", {}),
        ("status", {"status": "lost"}),
        ("rating", {"score": 6}),
        ("rating", {"score": 0}),
    ],
)
def test_what_does_not_fit_is_invalid(kind: str, value: object) -> None:
    assert refusal(kind, value) is Code.INVALID


def test_a_text_over_its_limit_is_too_large() -> None:
    assert refusal("message", {"text": "x" * 8_001}) is Code.TOO_LARGE
    entries.parse("message", pack({"text": " " + "x" * 8_000 + " "}))


def test_unknown_kinds() -> None:
    assert refusal("poke", {}) is Code.UNKNOWN_KIND
    assert refusal("hidden", {}) is Code.UNKNOWN_KIND


@given(st.sampled_from([*entries.KINDS, "poke", ""]), st.binary(max_size=64))
def test_rubbish_is_refused_and_nothing_else(kind: str, raw: bytes) -> None:
    try:
        entries.encode(entries.parse(kind, raw))
    except Refusal:
        pass
    entries.stored(kind, raw)


@pytest.mark.parametrize(
    ("role", "kind", "value", "may"),
    [
        (Role.VISITOR, "message", {"text": "x"}, True),
        (Role.AGENT, "message", {"text": "x"}, True),
        (Role.VISITOR, "note", {"text": "x"}, False),
        (Role.AGENT, "note", {"text": "x"}, True),
        (Role.VISITOR, "assignment", {"agent": None}, False),
        (Role.VISITOR, "status", {"status": "closed"}, True),
        (Role.VISITOR, "status", {"status": "open"}, False),
        (Role.AGENT, "status", {"status": "open"}, True),
        (Role.VISITOR, "rating", {"score": 3}, True),
        (Role.AGENT, "rating", {"score": 3}, False),
    ],
)
def test_who_may_send_what(role: Role, kind: str, value: object, may: bool) -> None:
    body = entries.parse(kind, pack(value))
    if may:
        entries.allow(role, kind, body)
    else:
        with pytest.raises(Refusal) as caught:
            entries.allow(role, kind, body)
        assert caught.value.code is Code.FORBIDDEN
