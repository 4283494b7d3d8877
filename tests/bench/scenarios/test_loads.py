"""Each scenario that needs no emulated network, at a tiny size, from end to end."""

from __future__ import annotations

from bench.load.ledger import Verdict
from bench.load.orders import Verified
from bench.report import Result
from bench.scenarios import burst, capacity, churn, flood, stall


def table(result: Result, number: int) -> dict[str, tuple[object, ...]]:
    """Rows by their first cell."""
    return {str(row[0]): row for row in result.tables[number].rows}


async def test_capacity_climbs_to_its_target_and_tells_each_kind_s_memory() -> None:
    ramp = capacity.Ramp(
        sessions=8,
        alone=2,
        steps=2,
        share=0.5,
        rate=2.0,
        seconds=0.5,
        generators=1,
        workers=1,
        settle=0.1,
    )
    result = await capacity.measure(ramp)
    steps = result.tables[0].rows
    assert [row[0] for row in steps] == [capacity.WARM + 4, capacity.WARM + 8]
    assert all(row[6] for row in steps), "delivery was measured at every step"
    assert set(table(result, 1)) == {"WebTransport (QUIC)", "WebSocket (TCP)", "mixed"}
    assert "the target was reached" in result.summary


async def test_capacity_says_what_stopped_it() -> None:
    more_than_there_is = 1 << 50
    ramp = capacity.Ramp(
        sessions=4,
        alone=0,
        steps=1,
        share=1.0,
        rate=2.0,
        seconds=0.3,
        generators=1,
        workers=1,
        min_free=more_than_there_is,
        settle=0.1,
    )
    result = await capacity.measure(ramp)
    assert "memory left" in result.summary


async def test_a_burst_is_counted_and_verified() -> None:
    plan = burst.Burst(
        steady=4, factor=30, seconds=1, senders=10, generators=1, workers=1, calm=0.5
    )
    result = await burst.measure(plan)
    counts = table(result, 1)
    assert counts["sent"][1] == counts["accepted"][1] == 2 + 120 + 2
    assert counts["accepted and not in the log"][1] == 0
    assert "none was lost" in result.summary
    assert [plot.title for plot in result.plots][1:] == ["The server's memory", "The server's CPU"]


def test_a_burst_that_lost_something_says_so() -> None:
    faulty = Verified(Verdict(sent=5, accepted=4, unanswered=1, lost=1))
    assert burst.summary(faulty) == "Of 5 messages 1 lost, 1 without an answer."


async def test_churn_leaves_no_tables_behind() -> None:
    result = await churn.measure(churn.Churn(cycles=20, warm_up=20, settle=1.0))
    for row in result.tables[0].rows:
        assert (row[1], row[2], row[-1]) == (20, 0, "empty")


async def test_those_who_chat_go_on_through_a_flood() -> None:
    plan = flood.Flood(per_second=300, seconds=0.75, sessions=4, chat=20, newcomers=2)
    result = await flood.measure(plan)
    phases = table(result, 0)
    assert phases["flood"][1] == phases["flood"][2] == 15
    counted = table(result, 1)
    assert int(str(counted["quic_packets_in"][2])) > int(str(counted["quic_packets_in"][1])) + 150
    assert "2 of 2 newcomers" in result.summary


async def test_a_server_that_stood_still_comes_back_with_everybody() -> None:
    plan = stall.Stall(sessions=40, seconds=1.0, calm=0.5, patience=30.0)
    result = await stall.measure(plan)
    assert result.summary.startswith("calm again"), result.tables[0].rows
    assert "40 of 40" in result.summary
