"""A rolling restart under load, at a tiny size, from end to end."""

from __future__ import annotations

from uuid import UUID

import pytest

from bench.load.crowd import Came, Said, Shopper
from bench.network import Shape
from bench.profiles import Profile
from bench.scenarios import roll

SHORT = Shape(delay=0.02)
PATH = Profile(name="short", about="40 ms RTT", basis="A test.", up=SHORT, down=SHORT)
SECOND = 10**9


async def test_nothing_is_lost_when_the_workers_are_replaced(linux_root: None) -> None:
    plan = roll.Rolling(
        path=PATH,
        seed=1,
        shoppers=3,
        rate=4.0,
        workers=2,
        times=1,
        drain=1.0,
        before=0.5,
        after=0.5,
    )
    result = await roll.measure(plan)
    waits, outcome = result.tables
    [row] = outcome.rows
    assert int(str(row[0])) > 10, "there was something to lose"
    assert row[1:4] == (0, 0, 0)
    assert row[5:7] == (1, 1), "everybody moved once"
    assert [int(str(r[1])) > 0 for r in waits.rows] == [True, True]


def told(said: list[Said], heard: list[Came]) -> roll.Told:
    shopper = Shopper(said, heard, [])
    return roll.Told(restarts=[(2 * SECOND, 4 * SECOND)], shoppers=[shopper])


def test_waits_belong_to_the_restart_in_which_they_began() -> None:
    said = [
        Said(UUID(int=n), n, n * SECOND, (n + wait) * SECOND)
        for n, wait in enumerate([1, 1, 3, 2, 1, 1])
    ]
    assert told(said, []).waits(True) == [1, 2, 3]
    assert told(said, []).waits(False) == [1, 1, 1]


@pytest.mark.parametrize(
    ("order", "breaches"), [([1, 2], 0), ([1], 1), ([2, 1], 1), ([1, 2, 2], 1)]
)
def test_what_a_shopper_missed_is_seen(order: list[int], breaches: int) -> None:
    said = [Said(UUID(int=n), n, 0, 1) for n in (1, 2)]
    heard = [Came(UUID(int=n), n, 0) for n in order]
    assert told(said, heard).verdict.breaches == breaches
