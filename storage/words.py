"""What a text is found by: its words, the same for every store. Pure.

A text becomes a row of terms, a query becomes phrases of terms, and a text is found when all
phrases of the query stand in its row. Stores keep terms in whatever index they have:

- case, width and compatibility forms are folded (NFKC, then Unicode case folding), accents of
  Latin, Greek, Cyrillic, Hebrew and Arabic are dropped, and a few letters go by the one that people
  type for them: `Łódź` is found by `lodz`, `ｶﾞｲﾄﾞ` by `ガイド`;
- letters and digits are words, everything else parts them; what a query writes without a space
  (`AB-1234`, `ana@example.com`) is one phrase;
- scripts that put no space between words (Chinese, Japanese, Thai and their like) and Korean,
  which hangs endings on its words, become overlapping pairs of characters, and the last character
  alone: `退货政策` is `退货 货政 政策 策`. A piece of two characters or more is then a phrase of
  pairs, and one character is the beginning of a pair. Trigrams would lose the words of two
  characters, which most Chinese words are;
- the last word of a query may be unfinished: it is found by how it begins.

What holds always: terms consist of letters, digits and marks, so they need no quoting anywhere;
whatever the query is, it has at most MAX_TERMS terms of MAX_WORD characters.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import NamedTuple
from unicodedata import category, normalize

VERSION = 1
"""Of these rules. A change of them needs a migration that has everything indexed anew."""
MAX_WORD = 64
"""Characters of a word that count."""
MAX_QUERY = 256
"""Characters of a query that count."""
MAX_TERMS = 32
"""Terms of a query that count."""

_ASCII_WORDS = re.compile("[a-z0-9]+").findall
_PAIRED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u1049\u1050-\u109d\u1780-\u17d3\u17d7\u17dc\u17dd\u17e0-\u17e9"  # Burmese, Khmer
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〆〇\u3105-\u312f"  # Han
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"  # Hangul
)
_MARKS = "".join(filter(lambda c: category(c)[0] == "M", map(chr, range(0x300, 0x1E00))))
"""Signs that belong to the letter before them and are no letters themselves."""
_RUNS = re.compile(f"(?P<paired>[{_PAIRED}]+)|(?:(?![{_PAIRED}])[\\w{_MARKS}])+")
_DROPPED = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]+"
)
_TYPED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "_": " "}
)


class Phrase(NamedTuple):
    """Terms that stand one after the other; the last may be only the beginning of one."""

    terms: tuple[str, ...]
    begins: bool = False


Query = tuple[Phrase, ...]


class _Term(NamedTuple):
    """A term and where it stands in the folded text; `solo` for the lone end of a paired run."""

    text: str
    start: int
    end: int
    paired: bool
    solo: bool = False


def fold(text: str) -> str:
    """The text with everything equal that a search takes for equal."""
    if text.isascii():
        return text.lower().replace("_", " ")
    folded = normalize("NFKC", text).casefold()
    bare = _DROPPED.sub("", normalize("NFKD", folded))
    return normalize("NFC", bare).translate(_TYPED)


def terms(text: str) -> list[str]:
    """The terms of a text, in their order."""
    if text.isascii():
        return [word[:MAX_WORD] for word in _ASCII_WORDS(text.lower())]
    return [term.text for term in _terms(fold(text))]


def query(text: str) -> Query:
    """What a text must have to be found by this; () when there is nothing to look for."""
    phrases: list[Phrase] = []
    pieces = fold(text[:MAX_QUERY]).split()
    for piece in pieces:
        phrases += _phrases(list(_terms(piece)))
    phrases = _bounded(phrases)
    if phrases and not _whole(phrases[-1]):
        phrases[-1] = Phrase(phrases[-1].terms, begins=True)
    return tuple(phrases)


def words(asked: Query) -> tuple[tuple[str, ...], str | None]:
    """The query as words alone, in no order, and the one that may be a beginning."""
    whole = [t for phrase in asked for t in phrase.terms[: -1 if phrase.begins else None]]
    begun = [phrase.terms[-1] for phrase in asked if phrase.begins]
    return tuple(dict.fromkeys(whole + begun[:-1])), begun[-1] if begun else None


def matches(asked: Query, row: Sequence[str]) -> bool:
    """Whether a row of terms has every phrase."""
    return all(any(_stands(phrase, row, at) for at in range(len(row))) for phrase in asked)


def spans(asked: Query, text: str) -> list[tuple[int, int]]:
    """Where the phrases stand in a text: from, up to; ascending and apart."""
    folded, begin, end = _traced(text)
    found = list(_terms(folded))
    row = [term.text for term in found]
    marked = []
    for phrase in asked:
        for at in range(len(row)):
            if _stands(phrase, row, at):
                last = found[at + len(phrase.terms) - 1]
                upto = last.start + len(phrase.terms[-1]) if phrase.begins else last.end
                marked.append((begin[found[at].start], end[upto - 1]))
    return _joined(sorted(marked))


def _terms(folded: str) -> Iterator[_Term]:
    for run in _RUNS.finditer(folded):
        text, start = run.group(), run.start()
        if run["paired"] is None:
            yield _Term(text[:MAX_WORD], start, run.end(), False)
            continue
        for at, (one, other) in enumerate(pairwise(text), start):
            yield _Term(one + other, at, at + 2, True)
        yield _Term(text[-1], run.end() - 1, run.end(), True, solo=True)


def _phrases(found: list[_Term]) -> Iterator[Phrase]:
    """The phrases of what was written without a space: one for each stretch of one kind."""
    stretch: list[_Term] = []
    for term, after in zip_longest(found, found[1:]):
        if not term.solo:
            stretch.append(term)
        elif not stretch:  # A lone character is the beginning of a pair, wherever it stands.
            yield Phrase((term.text,), begins=True)
        if after is None or after.paired != term.paired or term.solo:
            if stretch:
                yield Phrase(tuple(one.text for one in stretch))
            stretch = []


def _bounded(phrases: list[Phrase]) -> list[Phrase]:
    kept: list[Phrase] = []
    left = MAX_TERMS
    for phrase in phrases:
        if left > 0:
            kept.append(Phrase(phrase.terms[:left], phrase.begins))
        left -= len(phrase.terms)
    return kept


def _whole(phrase: Phrase) -> bool:
    """Whether the end of the phrase is more than a beginning: pairs begin wherever they stand."""
    return phrase.begins or _RUNS.fullmatch(phrase.terms[-1])["paired"] is not None  # type: ignore[index]  # a term is a run


def _stands(phrase: Phrase, row: Sequence[str], at: int) -> bool:
    wanted = phrase.terms
    there = row[at : at + len(wanted)]
    if len(there) < len(wanted) or tuple(there[:-1]) != wanted[:-1]:
        return False
    return there[-1].startswith(wanted[-1]) if phrase.begins else there[-1] == wanted[-1]


def _traced(text: str) -> tuple[str, list[int], list[int]]:
    """The folded text, and for each of its characters where that begins and ends which it came
    from."""
    folded: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    for start, end in pairwise([*_borders(text), len(text)]):
        piece = fold(text[start:end])
        folded.append(piece)
        begins += [start] * len(piece)
        ends += [end] * len(piece)
    return "".join(folded), begins, ends


def _borders(text: str) -> Iterator[int]:
    """Where characters begin that fold by themselves: not at marks, nor inside of a syllable."""
    for at, character in enumerate(text):
        before = text[at - 1] if at else ""
        syllable = "\u1100" <= before <= "\u11ff" and "\u1100" <= character <= "\u11ff"
        voiced = character in "\uff9e\uff9f"  # the marks of half-width kana are letters
        if not before or not (syllable or voiced or category(character)[0] == "M"):
            yield at


def _joined(marked: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in marked:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
