"""What texts are found by, in the scripts that people write in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.words import MAX_QUERY, MAX_TERMS, MAX_WORD, fold, matches, query, spans, terms, words

TEXT = (
    "aZ9 ,-'@_\0éøßŁİıﬁ\u0301\u0308йЁжσΣς退货政策々かが\u3099ガﾞｶﾞ한국어각\u1112\u1161\u11ab"
    "สินค้าأحمدة\u064b\u0640हिन्दी👍😀\u200d"
)
texts = st.text(st.sampled_from(TEXT), max_size=40)


def found(asked: str, text: str) -> bool:
    return matches(query(asked), terms(text))


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("parcel", "Where is my PARCEL?"),
        ("PARC", "Where is my parcel?"),
        ("parcel where", "Where is my parcel?"),
        ("cafe", "Un CAFÉ, s'il vous plaît"),
        ("café", "un cafe"),
        ("café", "un cafe\u0301"),
        ("lodz", "Łódź"),
        ("istanbul", "İSTANBUL"),
        ("strasse", "Große Straße"),
        ("file", "ﬁle"),
        ("abc", "ＡＢＣ"),
        ("退货", "请问你们的退货政策是什么？"),
        ("政策", "请问你们的退货政策是什么？"),
        ("退货政策", "请问你们的退货政策是什么？"),
        ("策", "退货政策"),
        ("货", "退货政策"),
        ("手机壳", "iPhone15手机壳"),
        ("手机壳 iphone", "iPhone15手机壳"),
        ("注文", "ご注文の商品は"),
        ("ガイド", "ｶﾞｲﾄﾞはありますか"),
        ("주문", "주문을 취소하고 싶어요"),
        ("취소", "\u110e\u1171\u1109\u1169"),  # the same syllables, taken apart
        ("สินค้า", "อยากคืนสินค้าครับ"),
        ("คืน", "อยากคืนสินค้าครับ"),
        ("أحمد", "السيد احمد"),
        ("مرحبا", "مَرْحَبًا بك"),
        ("شکر", "شكرا"),
        ("ёлка", "Елка"),
        ("достав", "Когда ДОСТАВКА?"),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
        ("ab-12", "Order AB-1234 is late"),
        ("AB-1234 late", "Order ab 1234 is late"),
        ("ana@exam", "write to ana@example.com"),
        ("don't", "I don’t know"),
        ("x" * 200, "x" * 300),
    ],
)
def test_is_found(asked: str, text: str):
    assert found(asked, text)
    assert spans(query(asked), text)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("arcel", "Where is my parcel?"),
        ("par where", "Where is my parcel?"),  # only the last word may be a beginning
        ("政货", "退货政策"),
        ("退货政策", "退货 政策"),
        ("退政", "退货政策"),
        ("か", "が"),
        ("AB-1234", "1234 for ab"),
        ("สินค้า", "สินเชื่อ"),
        ("cafe", "face"),
    ],
)
def test_is_not_found(asked: str, text: str):
    assert not found(asked, text)
    assert not all(spans((phrase,), text) for phrase in query(asked))


@pytest.mark.parametrize("asked", ["", " ", '"', "-*()", "\0", "،。!?", "👍"])
def test_nothing_to_look_for(asked: str):
    assert query(asked) == ()
    assert spans(query(asked), "anything") == []


@pytest.mark.parametrize(
    ("asked", "text", "marked"),
    [
        ("parc", "My Parcel, my parcels", ["Parc", "parc"]),
        ("cafe", "Un CAFE\u0301!", ["CAFE\u0301"]),
        ("退货政策", "请问退货政策", ["退货政策"]),
        ("货", "退货政策", ["货"]),
        ("策", "退货政策", ["策"]),
        ("ガイド", "ｶﾞｲﾄﾞ!", ["ｶﾞｲﾄﾞ"]),
        ("ab-12", "AB-1234", ["AB-12"]),
        ("where parcel", "Where is my parcel", ["Where", "parcel"]),
        ("straß", "Große Straße", ["Straß"]),
    ],
)
def test_what_is_marked(asked: str, text: str, marked: list[str]):
    assert [text[start:end] for start, end in spans(query(asked), text)] == marked


@pytest.mark.parametrize("asked", ["a " * 5_000, "退" * 10_000, "x" * 10_000, "é" * 10_000])
def test_a_query_is_bounded(asked: str):
    found = [term for phrase in query(asked) for term in phrase.terms]
    assert 0 < len(found) <= MAX_TERMS
    assert max(map(len, found)) <= MAX_WORD
    assert query(asked) == query(asked[:MAX_QUERY])


@given(texts)
def test_terms_hold_nothing_that_an_index_would_read(text: str):
    for term in terms(text):
        assert term
        assert term == fold(term)
        assert all(sign.isalnum() or ord(sign) > 0x2FF for sign in term)
        assert not set(term) & set(" \0'\"\\*:&|!()<>-_")


@given(texts)
def test_every_text_is_found_by_itself(text: str):
    assert matches(query(text), terms(text)) or len(terms(text)) > MAX_TERMS


@example("9", "9\u0e34")
@example("a", "æ")
@given(texts, texts)
def test_what_is_found_is_marked(asked: str, text: str):
    wanted = query(asked)
    if not wanted:
        return
    marked = spans(wanted, text)
    assert all(0 <= start < end <= len(text) for start, end in marked)
    assert all(one[1] < other[0] for one, other in pairwise(marked))
    if matches(wanted, terms(text)):
        assert marked


@given(st.text(max_size=60))
def test_any_text_at_all(text: str):
    spans(query(text), text)
    for term in terms(text):
        assert 0 < len(term) <= MAX_WORD


def test_the_words_of_a_query():
    assert words(query("退货 blue mu")) == (("退货", "blue"), "mu")
    assert words(query("退")) == ((), "退")
