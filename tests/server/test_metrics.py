import asyncio
from typing import Any

import msgspec

from server.bus.jobs import Counts
from server.census import CHUNK
from transport.errors import CloseCode
from transport.quic.insight import Histogram
from transport.uuid7 import uuid7
from transport.wire.lane import Counters


async def value(site: Any, line: str) -> float:
    for found in (await site.parts.metrics.text()).decode().splitlines():
        if found.startswith(line + " "):
            return float(found.rsplit(" ", 1)[1])
    return 0.0


async def test_what_happens_is_counted(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    await visitor.send(chat, text="hello")
    visitor.post(chat, "note", text="not mine to send")
    assert await visitor.refusal() == "forbidden"
    live = 'tradewind_sessions{role="visitor",transport="memory"}'
    assert await value(site, live) == 1
    assert await value(site, 'tradewind_entries_accepted_total{kind="message"}') == 1
    assert await value(site, 'tradewind_refusals_total{code="forbidden"}') == 1
    assert await value(site, "tradewind_append_seconds_count") == 1
    sent = await value(site, 'tradewind_lane_total{what="frames_sent"}')
    assert sent >= 4
    visitor.session.close(CloseCode.NORMAL)
    await visitor.session.wait_closed()
    await asyncio.sleep(0.05)
    assert await value(site, live) == 0
    assert await value(site, 'tradewind_sessions_closed_total{code="NORMAL"}') == 1
    # What a session did still counts when it is over.
    assert await value(site, 'tradewind_lane_total{what="frames_sent"}') >= sent


async def test_what_hedging_does_is_shown(site: Any) -> None:
    lane = Counters(copies_sent=9, copies_useful=4, copies_wasted=5, loss=0.02, copies=3)
    site.parts.metrics.watch(lanes=lambda: [lane, Counters()])
    for result, count in (("sent", 9), ("useful", 4), ("wasted", 5)):
        assert await value(site, f'tradewind_hedge_copies_total{{result="{result}"}}') == count
    assert await value(site, 'tradewind_hedge_plan{copies="3"}') == 1, (
        "the one without datagrams is none"
    )
    assert await value(site, 'tradewind_hedge_loss{upto="0.01"}') == 0
    assert await value(site, 'tradewind_hedge_loss{upto="0.03"}') == 1
    site.parts.metrics.ended(lane, "NORMAL")
    site.parts.metrics.watch(lanes=lambda: [Counters()])
    assert await value(site, 'tradewind_hedge_copies_total{result="sent"}') == 9
    assert await value(site, 'tradewind_hedge_plan{copies="3"}') == 0


async def test_counting_many_sessions_lets_the_loop_go_on_and_loses_nobody(site: Any) -> None:
    """Half of the sessions end, and as many begin, while they are counted."""
    living = [Counters(frames_sent=1, loss=0.02, copies=3) for _ in range(20 * CHUNK)]
    metrics, turns = site.parts.metrics, 0
    metrics.watch(lanes=lambda: living)
    before = await value(site, 'tradewind_lane_total{what="frames_sent"}')
    assert before >= len(living)
    counting = asyncio.ensure_future(metrics.text())
    while not counting.done():
        await asyncio.sleep(0)
        turns += 1
        for _ in range(CHUNK if len(living) < 20 * CHUNK else CHUNK // 2):
            metrics.ended(living.pop(), "NORMAL")
        living += [Counters(frames_sent=1) for _ in range(CHUNK // 2)]
    assert turns >= 20, "no turn of the loop may count more than CHUNK sessions"
    lines = dict(line.rsplit(b" ", 1) for line in (await counting).splitlines())
    assert float(lines[b'tradewind_lane_total{what="frames_sent"}']) == before
    assert await value(site, 'tradewind_lane_total{what="frames_sent"}') > before


async def test_who_is_turned_away_is_counted_by_code(site: Any) -> None:
    assert await (await site.greet("rubbish")).closed() == CloseCode.UNAUTHENTICATED
    await asyncio.sleep(0.05)
    assert await value(site, 'tradewind_sessions_closed_total{code="UNAUTHENTICATED"}') == 1


async def test_what_quic_connections_were_like_is_shown(site: Any) -> None:
    handshakes = Histogram((0.1, 0.5))
    for seconds in (0.05, 0.3, 9.0):
        handshakes.observe(seconds)
    site.parts.metrics.watch(histograms=lambda: {"handshake_seconds": handshakes})
    for bound, count in (("0.1", 1), ("0.5", 2), ("+Inf", 3)):
        assert (
            await value(site, f'tradewind_quic_handshake_seconds_bucket{{le="{bound}"}}') == count
        )
    assert await value(site, "tradewind_quic_handshake_seconds_sum") == 9.35


async def test_what_parts_count_is_shown(site: Any) -> None:
    bus, jobs = {"dropped": 2, "gaps": 0}, Counts(begun=7, parked=1)
    site.parts.metrics.watch(counts=lambda: {"bus": bus, "jobs": msgspec.structs.asdict(jobs)})
    assert await value(site, 'tradewind_bus_total{what="dropped"}') == 2
    assert await value(site, 'tradewind_jobs_total{what="begun"}') == 7
    jobs.begun += 1
    assert await value(site, 'tradewind_jobs_total{what="begun"}') == 8
