"""The scenario at a tiny size, from end to end."""

from __future__ import annotations

import asyncio
from itertools import chain, count
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from bench.options import BenchError
from bench.persist import arrivals
from bench.persist.arrivals import Load, Told
from bench.persist.filesystem import filesystem
from bench.persist.subject import Lost, measure
from bench.scenarios import persist

PLAN = persist.Persist(
    stores=("sqlite", "rocksdb"),
    rates=(200.0,),
    seconds=0.5,
    warm_up=0.2,
    conversations=10,
    found=True,
    seed=1,
    folder=None,
    postgresql=None,
)


async def test_each_store_at_each_rate_beside_a_bare_file(tmp_path: Path):
    result = await persist.measure(msgspec.structs.replace(PLAN, folder=tmp_path))
    [table] = result.tables
    assert [row[:2] for row in table.rows] == [
        (name, 200) for name in ("fdatasync", "sqlite", "rocksdb")
    ]
    for row in table.rows:
        assert 0 < row[3] <= row[4] <= row[5] <= row[6], "p50 to the longest"
        assert row[7] == 0, "nothing was refused"
    assert [plot.title for plot in result.plots] == ["200 messages a second", "p99"]
    assert list(await asyncio.to_thread(lambda: [*tmp_path.iterdir()])) == []


async def test_a_real_postgresql(tmp_path: Path):
    plan = msgspec.structs.replace(PLAN, stores=("postgresql",))
    result = await persist.measure(plan)
    assert [row[0] for row in result.tables[0].rows] == ["fdatasync", "postgresql"]
    assert result.tables[0].rows[1][7] == 0


async def test_a_store_that_does_not_hold_what_it_accepted_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    load = Load(
        url=f"sqlite:///{tmp_path}/log.db",
        kind="store",
        rate=100.0,
        seconds=0.1,
        warm_up=0.0,
        conversations=3,
        found=True,
        seed=1,
    )
    conversations = [UUID(int=n) for n in range(3)]
    for first_id, lost in ((10, False), (50, True)):
        ids = chain(conversations, (UUID(int=n) for n in count(first_id)))
        monkeypatch.setattr(arrivals, "uuid7", ids.__next__)
        if not lost:
            assert len((await measure(load)).delays) == 10
            continue
        # The second time there are ten in the log already that this run knows nothing of.
        with pytest.raises(Lost, match="10 messages were accepted, and 20 are stored"):
            await measure(load)


def test_the_summary_says_who_missed_the_budget():
    load = Load(
        url="", kind="store", rate=2000.0, seconds=1, warm_up=0, conversations=1, seed=1, found=True
    )
    quick = persist.Figure("quick", load, Told(delays=[1.0] * 100, refused=0, took=1.0, cpu=0.1))
    slow = persist.Figure("slow", load, Told(delays=[4.0] * 100, refused=0, took=1.0, cpu=0.1))
    none = persist.Figure("none", load, Told(delays=[], refused=9, took=1.0, cpu=0.1))
    assert persist.summary([quick]) == (
        "p99 was within 3 ms at 2,000 messages a second in every store."
    )
    told = persist.summary([quick, slow, none])
    assert "slow 4.0 ms, none inf ms" in told
    assert "quick" not in told
    assert "not asked for" in persist.summary([])


@pytest.mark.parametrize("rates", ["", "fast", "100,0"])
def test_rates_that_are_none(rates: str):
    with pytest.raises(BenchError):
        persist._rates(rates)


def test_a_store_that_is_none():
    with pytest.raises(BenchError, match="mysql"):
        persist._stores("sqlite,mysql")


def test_the_kind_of_disk():
    assert filesystem(Path("/proc")) == "proc"
    assert filesystem(Path("/nowhere/at/all")) == filesystem(Path("/"))
