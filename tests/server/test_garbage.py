"""When garbage is collected."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from weakref import ref

import pytest

from server import garbage


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK", 0.01)


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def grow(keeping: list[object], pauses: list[float]) -> None:
    """Make objects until there is a pause."""
    count = len(pauses)
    async with asyncio.timeout(30):
        while len(pauses) == count:
            keeping += [[number] for number in range(20_000)]
            await asyncio.sleep(0.02)


async def test_all_is_put_back() -> None:
    before = gc.get_threshold()
    async with garbage.in_pieces(lambda _: None):
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[:2] == (garbage.YOUNG, garbage.MIDDLE)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_what_stays_is_looked_at_once() -> None:
    pauses: list[float] = []
    async with garbage.in_pieces(pauses.append):
        keeping: list[object] = []
        knot = Knot()
        kept = ref(knot)
        before = gc.get_freeze_count()
        await grow(keeping, pauses)
        assert gc.get_freeze_count() - before > garbage.PIECE / 2
        del knot
        await grow(keeping, pauses)
        assert kept() is not None, "what is frozen was looked at"
        gc.unfreeze()
        gc.collect()
        assert kept() is None


async def test_garbage_of_a_piece_is_found() -> None:
    pauses: list[float] = []
    async with garbage.in_pieces(pauses.append):
        knot = Knot()
        gone = ref(knot)
        gc.collect(1)  # It is among the old now.
        del knot
        assert gone() is not None
        await grow([], pauses)
        assert gone() is None


@pytest.mark.parametrize("small", [True, False])
async def test_a_small_process_is_looked_at_whole(
    small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "WHOLE", 0.1)
    monkeypatch.setattr(garbage, "SMALL", 1 << 40 if small else 0)
    knot = Knot()
    gone = ref(knot)
    pauses: list[float] = []
    async with garbage.in_pieces(pauses.append):
        del knot
        await (until(lambda: pauses) if small else grow([], pauses))
        assert (gone() is None) is small
