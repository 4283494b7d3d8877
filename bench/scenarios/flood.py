"""Handshakes that nobody means, while others chat: `tradewind bench flood`.

A flooder sends whole ClientHellos from hundreds of addresses, more in a second than a core can
answer with a handshake each, and reads no answer, as spoofed sources do. Sessions that were there
before go on chatting; what happens to their delivery is the result. The rate and the time are
bounded, and packets go to loopback only.

May import: load, report, options.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from msgspec import Struct

from bench import report
from bench.load.fleet import Fleet, fleet
from bench.load.house import House, house, mortal
from bench.load.orders import Chatted
from bench.load.watch import Watch, cdf, ms, quantile, watching
from bench.options import BenchError, HtmlFile, JsonFile, command_line, faults
from bench.report import Mark, Plot, Result, Table

MOST_PER_SECOND, MOST_SECONDS = 5_000.0, 30.0
"""Over these the command refuses: this is a measurement, not a weapon."""
LEAD = 1.0
"""Seconds of flood before the chat that counts, and after it."""
NEWCOMERS = 10
"""Honest sessions that are opened under the flood."""
ALLOWED = 2.0
"""How many times the p99 of before is allowed."""


class Flood(Struct, frozen=True, kw_only=True):
    """What to do. `chat` is messages a second of all the sessions together."""

    per_second: float
    seconds: float
    sessions: int
    chat: float
    newcomers: int = NEWCOMERS


class Phase(Struct, frozen=True):
    """One stretch of chatting; `counted` is what the listeners counted during it."""

    name: str
    begin: float
    end: float
    cpu: float
    chatted: Chatted
    counted: dict[str, float]


class Told(Struct, frozen=True):
    """What came out. `joined` of the newcomers came in under the flood, within `joining` s."""

    phases: list[Phase]
    joined: int
    joining: float
    sent: int
    watch: Watch


def flood(
    per_second: Annotated[float, typer.Option(help="Spoofed handshakes a second.")] = 1000.0,
    seconds: Annotated[float, typer.Option(help="How long each phase lasts.")] = 8.0,
    sessions: Annotated[int, typer.Option(help="Sessions that chat, half of each kind.")] = 40,
    chat: Annotated[float, typer.Option(help="Messages a second, of all together.")] = 40.0,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Flood the server with handshakes over loopback; how do those fare who chat already."""
    plan = Flood(per_second=per_second, seconds=seconds, sessions=sessions, chat=chat)
    with faults():
        if per_second > MOST_PER_SECOND or seconds > MOST_SECONDS:
            raise BenchError(f"at most {MOST_PER_SECOND:g} packets a second for {MOST_SECONDS:g} s")
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Flood) -> Result:
    """Run it."""
    with report.progress() as bar:
        task = bar.add_task("before", total=4)
        async with house() as server, fleet(server) as load:
            half = plan.sessions // 2
            await load.open(quic=half, websocket=plan.sessions - half)
            async with watching(server, every=0.5) as watch:
                before = await _phase("before", plan, server, load, watch)
                bar.update(task, advance=1, description="flood")
                async with _flooding(plan, server) as flooder:
                    await asyncio.sleep(LEAD)
                    during = await _phase("flood", plan, server, load, watch)
                    bar.update(task, advance=1, description="newcomers")
                    joined, joining = await _newcomers(plan, load, watch)
                    sent = await _end_of(flooder)
                bar.update(task, advance=1, description="after")
                after = await _phase("after", plan, server, load, watch)
                bar.advance(task)
    return _result(plan, Told([before, during, after], joined, joining, sent, watch))


@asynccontextmanager
async def _flooding(plan: Flood, server: House) -> AsyncIterator[asyncio.subprocess.Process]:
    """A flooder that has begun, for long enough; it is gone when the block is left."""
    long = plan.seconds * 1.5 + 2 * LEAD
    numbers = map(str, (server.port, plan.per_second, long))
    flooder = await asyncio.create_subprocess_exec(
        *mortal(None, sys.executable, "-m", "bench.load.flood", *numbers),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert flooder.stdout is not None
        if not await flooder.stdout.readline():
            raise BenchError("the flooder did not start; it said why above")
        yield flooder
    finally:
        if flooder.returncode is None:
            flooder.kill()
        await flooder.wait()


async def _end_of(flooder: asyncio.subprocess.Process) -> int:
    assert flooder.stdout is not None
    return int(await flooder.stdout.readline() or b"0")


async def _phase(name: str, plan: Flood, server: House, load: Fleet, watch: Watch) -> Phase:
    counted, cpu, begin = await _listeners(server), server.usage().cpu, watch.now
    chatted = await load.chat(per_second=plan.chat, seconds=plan.seconds, senders=plan.sessions)
    end = watch.now
    cpu = (server.usage().cpu - cpu) / (end - begin)
    now = await _listeners(server)
    grown = {what: now[what] - counted.get(what, 0) for what in now}
    return Phase(name, begin, end, cpu, chatted, grown)


async def _listeners(server: House) -> dict[str, float]:
    prefix, suffix = 'tradewind_listener{what="', '"}'
    samples = await server.metrics()
    return {
        name.removeprefix(prefix).removesuffix(suffix): value
        for name, value in samples.items()
        if name.startswith(prefix)
    }


async def _newcomers(plan: Flood, load: Fleet, watch: Watch) -> tuple[int, float]:
    begin, had = watch.now, (await load.look()).live
    state = await load.open(quic=plan.newcomers)
    return state.live - had, watch.now - begin


# What is told of it.


def _result(plan: Flood, told: Told) -> Result:
    before, during, _ = (quantile(phase.chatted.delays, 0.99) for phase in told.phases)
    ratio = during / before if before and during else None
    times = "nothing came" if ratio is None else f"p99 under the flood is {ratio:.1f} times"
    return Result(
        scenario="flood",
        command=command_line(),
        profile="loopback",
        summary=f"{times} that of before (budget {ALLOWED:g}); "
        f"{told.joined} of {plan.newcomers} newcomers came in under it.",
        notes=(
            f"{told.sent:,} Initials from 256 loopback addresses, {plan.per_second:g} a second,"
            " each a whole ClientHello with connection IDs of its own; no answer is read.",
            "Server, flooder and load generator share this machine's cores: part of what delivery"
            " loses is the flooder's own taking.",
        ),
        tables=(_phases(told), _counters(told)),
        plots=_plots(told),
    )


def _phases(told: Told) -> Table:
    return Table(
        "Delivery of the sessions that were there before",
        ("phase", "sent", "delivered", "p50 ms", "p99 ms", "worst ms", "server CPU %"),
        tuple(
            (
                phase.name,
                phase.chatted.sent,
                len(phase.chatted.delays),
                ms(quantile(phase.chatted.delays, 0.5)),
                ms(quantile(phase.chatted.delays, 0.99)),
                ms(quantile(phase.chatted.delays, 1.0)),
                phase.cpu * 100,
            )
            for phase in told.phases
        ),
        f"newcomers under the flood: {told.joined} live, all tried within {told.joining:.1f} s",
    )


def _counters(told: Told) -> Table:
    names = sorted({name for phase in told.phases for name, n in phase.counted.items() if n})
    return Table(
        "What the server's listeners counted",
        ("counter", *(phase.name for phase in told.phases)),
        tuple((name, *(int(p.counted.get(name, 0)) for p in told.phases)) for name in names),
        "changes during each phase",
    )


def _plots(told: Told) -> tuple[Plot, ...]:
    during = told.phases[1]
    marks = (Mark("flood: chat begins", during.begin), Mark("chat ends", during.end))
    cpu = (told.watch.cpu(),)
    delays = tuple(cdf(phase.name, phase.chatted.delays) for phase in told.phases)
    return (
        Plot(title="Delivery", x="ms", y="share", scale_x="log", scale_y="tail", series=delays),
        Plot(
            title="The server's CPU",
            x="s",
            y="% of a core",
            series=cpu,
            marks=marks,
        ),
    )
