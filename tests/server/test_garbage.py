"""When garbage is collected."""

from __future__ import annotations

import asyncio
import gc

import pytest

from server import garbage


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize(
    ("stayed", "blocks", "yes"),
    [
        (garbage.LEAST - 1, 0, False),
        (garbage.LEAST, 100_000, True),
        (1_000_000, 10_000_000, False),
        (2_500_000, 10_000_000, True),
    ],
)
def test_a_full_look_is_due(stayed: int, blocks: int, yes: bool) -> None:
    assert garbage.due(stayed, blocks) is yes


async def test_what_was_there_is_not_looked_at_and_all_is_put_back() -> None:
    before = gc.get_threshold()
    async with garbage.seldom(lambda _: None):
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[:2] == (garbage.YOUNG, garbage.MIDDLE)
        full = gc.get_stats()[2]["collections"]
        kept = [[number] for number in range(300_000)]
        assert gc.get_stats()[2]["collections"] == full, "all objects were looked at"
        assert len(kept) == 300_000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_all_are_looked_at_when_many_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK", 0.01)
    pauses: list[float] = []
    async with garbage.seldom(pauses.append):
        keeping = []
        async with asyncio.timeout(60):
            while not pauses:
                keeping += [Knot() for _ in range(20_000)]
                await asyncio.sleep(0.02)
        keeping.clear()
        assert len(pauses) == 1
        assert pauses[0] > 0
