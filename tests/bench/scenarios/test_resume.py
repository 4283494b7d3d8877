"""The scenario at a tiny size, from end to end, with a Redis of its own."""

from __future__ import annotations

from pathlib import Path

from bench.scenarios import resume


async def test_resumes_and_appends_with_the_index_and_without(tmp_path: Path):
    plan = resume.Plan(
        database=f"sqlite:///{tmp_path}/log.db",
        redis=None,
        conversations=20,
        entries=12,
        missed=3,
        at_once=4,
        seconds=0.2,
        rounds=1,
        seed=1,
    )
    result = await resume.measure(plan)
    resumes, appends = result.tables
    names = ("sqlite alone", "sqlite behind the index")
    assert tuple(row[0] for row in resumes.rows) == (*names, "the index just flushed")
    assert tuple(row[0] for row in appends.rows) == names
    for row in (*resumes.rows, *appends.rows):
        assert 0 < row[2] <= row[3] <= row[4], "p50 to p99.9"
    assert "were answered by the index" in result.summary
    assert not result.summary.startswith("0 ")
