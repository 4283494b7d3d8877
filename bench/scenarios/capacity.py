"""How many live sessions a server holds, and what each takes: `tradewind bench capacity`.

Sessions are opened step by step, half over WebTransport and half over WebSocket; at each step one
in a hundred chats at a steady rate while memory, CPU and delivery are read. The ramp ends at its
target, or when something stops it, which the report names. Two more servers hold one kind alone, so
that each kind's memory can be told.

May import: load, report, options.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import typer
from msgspec import Struct

from bench import report
from bench.load import meter
from bench.load.fleet import Fleet, fleet
from bench.load.house import House, house
from bench.load.watch import MIB, Watch, ms, quantile, watching
from bench.options import Generators, HtmlFile, JsonFile, Workers, command_line, faults
from bench.report import Plot, Result, Series, Table

CHUNK = 500
"""Sessions opened between two looks at what might stop the ramp."""
WARM = 20
"""Sessions opened before the empty server is looked at: what the first ones load is not theirs."""
SETTLE = 2.0
"""Seconds between the last handshake of a step and its measurement."""
LOOK = 10.0
"""Seconds between two looks at the server's memory: one takes the kernel a good part of a second
when that is gigabytes."""
MIN_FREE = 1024 * MIB
"""Bytes that the machine must still have."""
TOO_SLOW = 5.0
"""Seconds of p99 delivery over which a server cannot be said to hold its sessions."""
TOO_FEW = 20.0
"""Sessions a second: when a chunk comes in more slowly, the cores are busy with those that live."""
MISSING = 0.001
"""The share of sessions that may have been lost on the way up, as in any network."""
QUIC_BUDGET, WEBSOCKET_BUDGET = 64, 32
"""KiB per idle session that the design allows."""


class Ramp(Struct, frozen=True, kw_only=True):
    """What to do. `share` of the sessions chat, each `rate` messages a second."""

    sessions: int
    alone: int
    steps: int
    share: float
    rate: float
    seconds: float
    generators: int
    workers: int
    min_free: int = MIN_FREE
    settle: float = SETTLE


class Step(Struct, frozen=True, kw_only=True):
    """One point of the curve. Bytes and seconds; `cpu` is a share of one core while chatting."""

    live: int
    rss: int
    pss: int
    per_session: float
    cpu: float
    load_pss: int
    p50: float | None
    p99: float | None
    opened_per_second: float


def capacity(
    sessions: Annotated[int, typer.Option(help="Live sessions to reach.")] = 2000,
    alone: Annotated[int, typer.Option(help="Sessions of one kind alone; 0 skips it.")] = 500,
    steps: Annotated[int, typer.Option(help="Points of the curve.")] = 8,
    share: Annotated[float, typer.Option(help="The share of sessions that chat.")] = 0.01,
    rate: Annotated[float, typer.Option(help="Messages a second of one that chats.")] = 0.5,
    seconds: Annotated[float, typer.Option(help="How long they chat at each step.")] = 5.0,
    generators: Generators = 1,
    workers: Workers = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Ramp up live sessions over loopback; memory per session, CPU and delivery along the way."""
    ramp = Ramp(
        sessions=sessions,
        alone=alone,
        steps=steps,
        share=share,
        rate=rate,
        seconds=seconds,
        generators=generators,
        workers=workers,
    )
    with faults():
        report.finish(asyncio.run(measure(ramp)), json, html)


async def measure(ramp: Ramp) -> Result:
    """Run the three ramps."""
    with report.progress() as bar:
        task = bar.add_task("sessions", total=ramp.sessions + 2 * ramp.alone)

        def opened(count: int) -> None:
            bar.advance(task, count)

        mixed, stopped = await _climb(ramp, ramp.sessions, ramp.steps, _halves, opened)
        quic: list[Step] = []
        websocket: list[Step] = []
        if ramp.alone:
            quic, _ = await _climb(ramp, ramp.alone, 1, _only_quic, opened)
            websocket, _ = await _climb(ramp, ramp.alone, 1, _only_websocket, opened)
    return _result(ramp, mixed, quic, websocket, stopped)


def _halves(count: int) -> tuple[int, int]:
    return count // 2, count - count // 2


def _only_quic(count: int) -> tuple[int, int]:
    return count, 0


def _only_websocket(count: int) -> tuple[int, int]:
    return 0, count


async def _climb(
    ramp: Ramp,
    target: int,
    steps: int,
    mix: Callable[[int], tuple[int, int]],
    opened: Callable[[int], None],
) -> tuple[list[Step], str]:
    """The curve up to the target, and what stopped it before, if anything did."""
    done: list[Step] = []
    async with house(workers=ramp.workers) as server, fleet(server, ramp.generators) as load:
        await _open(server, load, mix, 0, WARM, 0, lambda _: None)
        await asyncio.sleep(ramp.settle)
        empty = server.usage()
        async with watching(server, every=LOOK) as watch:
            for number in range(1, steps + 1):
                have, want = (WARM + n * target // steps for n in (number - 1, number))
                begin = watch.now
                stopped = await _open(server, load, mix, have, want, ramp.min_free, opened)
                pace = (want - have) / max(1e-9, watch.now - begin)
                await asyncio.sleep(ramp.settle)
                if server.ended() is not None:
                    return done, stopped or "the server ended"
                done.append(await _look(ramp, server, load, watch, empty.pss, pace))
                stopped = stopped or _too_slow(done[-1])
                if stopped:
                    return done, stopped
    return done, ""


async def _open(
    server: House,
    load: Fleet,
    mix: Callable[[int], tuple[int, int]],
    have: int,
    want: int,
    min_free: int,
    opened: Callable[[int], None],
) -> str:
    """Open sessions until there are `want`; what came in the way, if anything did."""
    while have < want:
        count = min(CHUNK, want - have)
        quic, websocket = mix(count)
        begin = time.monotonic()
        state = await load.open(quic=quic, websocket=websocket)
        pace = count / (time.monotonic() - begin)
        have += count
        opened(count)
        if server.ended() is not None:
            return f"the server ended with {server.ended()}"
        if state.live < have * (1 - MISSING):
            worst = max(state.why, key=lambda why: state.why[why], default="no reason known")
            return f"{have - state.live} of {have} sessions are not live: {worst}"
        if meter.free_memory() < min_free:
            return f"the machine has less than {min_free // MIB} MiB of memory left"
        if count == CHUNK and pace < TOO_FEW:
            return f"sessions came in at {pace:.0f} a second: the cores are busy with the others"
    return ""


def _too_slow(step: Step) -> str:
    if step.p99 is None:
        return "nothing was delivered"
    return f"p99 of delivery is over {TOO_SLOW:g} s" if step.p99 > TOO_SLOW else ""


async def _look(
    ramp: Ramp, server: House, load: Fleet, watch: Watch, empty: int, pace: float
) -> Step:
    live = (await load.look()).live
    senders = max(1, round(live * ramp.share))
    usage = watch.look().usage
    chatted = await load.chat(
        per_second=max(2.0, senders * ramp.rate), seconds=ramp.seconds, senders=senders
    )
    cpu = (server.usage().cpu - usage.cpu) / ramp.seconds
    return Step(
        live=live,
        rss=usage.rss,
        pss=usage.pss,
        per_session=(usage.pss - empty) / max(1, live - WARM),
        cpu=cpu,
        load_pss=load.usage().pss,
        p50=quantile(chatted.delays, 0.5),
        p99=quantile(chatted.delays, 0.99),
        opened_per_second=pace,
    )


# What is told of it.


def _result(
    ramp: Ramp, mixed: list[Step], quic: list[Step], websocket: list[Step], stopped: str
) -> Result:
    reached = max((step.live for step in mixed), default=0)
    ended = f"stopped: {stopped}" if stopped else "the target was reached"
    return Result(
        scenario="capacity",
        command=command_line(),
        profile="loopback",
        summary=f"{reached:,} live sessions; {ended}.",
        notes=(
            "Server and load generator share this machine. The client side of QUIC is qh3, of"
            " WebSocket a bare protocol on uvloop: both speak the whole wire, heartbeat included.",
            f"{ramp.share:.0%} of the sessions chat, {ramp.rate:g} messages a second each (at least"
            " 2 a second in all), each in a conversation of its own; delivery is from the send to"
            " the entry's `deliver` at its author, through the commit on disk.",
            f"Memory is PSS over that of the server with {WARM} sessions, so allocator slack and"
            " caches are in it; the fewer sessions, the larger their share.",
        ),
        tables=(_curve(mixed), _kinds(mixed, quic, websocket)),
        plots=_plots(mixed),
    )


def _curve(steps: list[Step]) -> Table:
    return Table(
        "Along the ramp, half WebTransport, half WebSocket",
        (
            "live",
            "RSS MiB",
            "PSS MiB",
            "KiB a session",
            "CPU %",
            "p50 ms",
            "p99 ms",
            "opened a second",
            "generators MiB",
        ),
        tuple(
            (
                step.live,
                step.rss / MIB,
                step.pss / MIB,
                step.per_session / 1024,
                step.cpu * 100,
                ms(step.p50),
                ms(step.p99),
                step.opened_per_second,
                step.load_pss / MIB,
            )
            for step in steps
        ),
        "CPU is the server's, of one core, while the sessions chat",
    )


def _kinds(mixed: list[Step], quic: list[Step], websocket: list[Step]) -> Table:
    rows = (
        ("WebTransport (QUIC)", quic, QUIC_BUDGET),
        ("WebSocket (TCP)", websocket, WEBSOCKET_BUDGET),
        ("mixed", mixed, (QUIC_BUDGET + WEBSOCKET_BUDGET) / 2),
    )
    return Table(
        "Server memory per idle session",
        ("kind", "live", "KiB a session", "budget"),
        tuple((name, s[-1].live, s[-1].per_session / 1024, best) for name, s, best in rows if s),
    )


def _plots(steps: list[Step]) -> tuple[Plot, ...]:
    live = tuple(float(step.live) for step in steps)
    budget = (QUIC_BUDGET + WEBSOCKET_BUDGET) / 2
    return (
        Plot(
            title="Memory against sessions",
            x="live sessions",
            y="MiB",
            series=(
                Series("server, PSS", tuple(s.pss / MIB for s in steps), live),
                Series("server, RSS", tuple(s.rss / MIB for s in steps), live),
                Series("budget", tuple(n * budget / 1024 for n in live), live),
            ),
        ),
        Plot(
            title="Delivery against sessions",
            x="live sessions",
            y="ms",
            series=(
                Series("p50", tuple((s.p50 or 0.0) * 1000 for s in steps), live),
                Series("p99", tuple((s.p99 or 0.0) * 1000 for s in steps), live),
            ),
        ),
    )
