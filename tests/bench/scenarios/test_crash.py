"""Kills under load, at a tiny size, from end to end."""

from __future__ import annotations

from uuid import UUID

from bench.load.crossfire import Fought, Report
from bench.load.history import Sent
from bench.load.ledger import Row
from bench.scenarios import crash


async def test_what_is_killed_comes_back_and_nothing_is_lost() -> None:
    plan = crash.Crashes(
        kind="embedded",
        rounds=3,
        victims=("worker", "server"),
        visitors=2,
        agents=1,
        rate=4.0,
        workers=2,
        seed=5,
    )
    result = await crash.measure(plan)
    victims, outcome = result.tables
    assert sum(int(str(row[1])) for row in victims.rows) == 3
    [row] = outcome.rows
    sent, accepted = (int(str(cell)) for cell in row[:2])
    assert 20 < accepted <= sent
    breaches = zip(outcome.columns[4:], row[4:], strict=True)
    assert {name: count for name, count in breaches if count} == {}


def test_what_a_listener_missed_is_seen() -> None:
    one, two = UUID(int=1), UUID(int=2)
    sends = [Sent(0, one, 0, 1, 1), Sent(0, two, 2, 3, 2)]
    log = [Row(1, one), Row(2, two)]
    told = crash.Told([], [Report([Fought(sends, log, [log, log[:1]])], 1)])
    assert (told.breaches.total, told.heard.breaches) == (0, 1)
