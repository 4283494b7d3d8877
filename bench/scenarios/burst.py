"""Three hundred times the steady rate, for ten seconds: `tradewind bench burst`.

Many senders in an open loop: they send when their time has come, whatever the server does. What is
refused goes again as any client sends it again. Afterwards every conversation's log is read back
and compared with what was sent, accepted and delivered.

May import: load, report, options.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from msgspec import Struct

from bench import report
from bench.load.fleet import fleet
from bench.load.house import house
from bench.load.orders import Chatted, Verified
from bench.load.watch import MIB, Watch, cdf, ms, quantile, watching
from bench.options import Generators, HtmlFile, JsonFile, Workers, command_line, faults
from bench.report import Mark, Plot, Result, Table
from bench.report.record import Cell

STEADY_SECONDS = 5.0
"""Before the burst and after it."""
PATIENCE = 60.0
"""Seconds that the last answers of the burst may take."""


class Burst(Struct, frozen=True, kw_only=True):
    """What to do: `steady` messages a second, then `factor` times as many."""

    steady: float
    factor: float
    seconds: float
    senders: int
    generators: int
    workers: int
    calm: float = STEADY_SECONDS


class Phase(Struct, frozen=True):
    """One stretch at one rate. Times are seconds since the watch began."""

    name: str
    per_second: float
    begin: float
    end: float
    chatted: Chatted


class Told(Struct, frozen=True):
    """What came out."""

    phases: list[Phase]
    verified: Verified
    watch: Watch


def burst(
    steady: Annotated[float, typer.Option(help="Messages a second before and after.")] = 5.0,
    factor: Annotated[float, typer.Option(help="How many times as many in the burst.")] = 300.0,
    seconds: Annotated[float, typer.Option(help="How long the burst lasts.")] = 10.0,
    senders: Annotated[
        int,
        typer.Option(help="Sessions that send, half of each kind."),
    ] = 600,
    generators: Generators = 1,
    workers: Workers = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Send a burst over loopback; is anything lost, doubled, out of order; memory and CPU."""
    plan = Burst(
        steady=steady,
        factor=factor,
        seconds=seconds,
        senders=senders,
        generators=generators,
        workers=workers,
    )
    with faults():
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Burst) -> Result:
    """Run it."""
    high = plan.steady * plan.factor
    phases = (
        ("steady", plan.steady, plan.calm, 5.0),
        ("burst", high, plan.seconds, PATIENCE),
        ("after", plan.steady, plan.calm, 5.0),
    )
    done: list[Phase] = []
    with report.progress() as bar:
        task = bar.add_task("opening", total=len(phases) + 2)
        async with house(workers=plan.workers) as server, fleet(server, plan.generators) as load:
            half = plan.senders // 2
            await load.open(quic=half, websocket=plan.senders - half)
            bar.advance(task)
            async with watching(server, every=0.25) as watch:
                for name, rate, seconds, patience in phases:
                    bar.update(task, description=name)
                    begin = watch.now
                    chatted = await load.chat(
                        per_second=rate, seconds=seconds, senders=plan.senders, patience=patience
                    )
                    done.append(Phase(name, rate, begin, begin + seconds, chatted))
                    bar.advance(task)
            bar.update(task, description="reading back")
            verified = await load.verify()
            bar.advance(task)
    return _result(Told(done, verified, watch))


# What is told of it.


def summary(verified: Verified) -> str:
    """One sentence on the promises."""
    verdict = verified.verdict
    bad = {
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "out of order": verdict.disordered,
        "strange": verdict.strange,
        "without an answer": verdict.unanswered,
        "conversations not read back": verified.unread,
    }
    found = ", ".join(f"{count} {what}" for what, count in bad.items() if count)
    return f"Of {verdict.sent:,} messages {found or 'none was lost, doubled or out of order'}."


def _result(told: Told) -> Result:
    return Result(
        scenario="burst",
        command=command_line(),
        profile="loopback",
        summary=summary(told.verified),
        notes=(
            "Server and load generator share this machine, and in the burst fight for its cores.",
            "Open loop. A message that is refused with a time to wait is sent again after it, in"
            " order, as the real client does; what a refusal costs is in the delay.",
            f"Late: sent over 50 ms after its time because the generator was busy"
            f" ({sum(p.chatted.late for p in told.phases):,} in all).",
        ),
        tables=(_phases(told), _verdict(told.verified), *_refusals(told)),
        plots=_plots(told),
    )


def _phases(told: Told) -> Table:
    rows = []
    for phase in told.phases:
        delays = phase.chatted.delays
        moments = [m for m in told.watch.moments if phase.begin <= m.at <= phase.end]
        rows.append(
            (
                phase.name,
                phase.per_second,
                phase.chatted.sent,
                ms(quantile(delays, 0.5)),
                ms(quantile(delays, 0.99)),
                ms(delays[-1] if delays else None),
                max((m.cpu * 100 for m in moments), default=None),
                max((m.usage.pss / MIB for m in moments), default=None),
            )
        )
    return Table(
        "Phases",
        (
            "phase",
            "a second",
            "sent",
            "p50 ms",
            "p99 ms",
            "worst ms",
            "most CPU %",
            "most MiB",
        ),
        tuple(rows),
        "from the send to the delivery at its author; CPU and memory are the server's",
    )


def _verdict(verified: Verified) -> Table:
    verdict = verified.verdict
    return Table(
        "What became of the messages",
        ("", "messages"),
        (
            ("sent", verdict.sent),
            ("accepted", verdict.accepted),
            ("refused for good", verdict.refused_for_good),
            ("without an answer", verdict.unanswered),
            ("accepted and not in the log", verdict.lost),
            ("twice in the log or delivered twice", verdict.doubled),
            ("out of order", verdict.disordered),
            ("in the log and should not be, or elsewhere", verdict.strange),
            ("conversations that could not be read back", verified.unread),
        ),
    )


def _refusals(told: Told) -> tuple[Table, ...]:
    codes = sorted({code for phase in told.phases for code in phase.chatted.refusals})
    if not codes:
        return ()
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (phase.name, *(phase.chatted.refusals.get(code, 0) for code in codes))
        for phase in told.phases
    )
    return (Table("Refusals by code; each was tried again", ("phase", *codes), rows),)


def _plots(told: Told) -> tuple[Plot, ...]:
    surge = told.phases[1]
    marks = (Mark("burst begins", surge.begin), Mark("burst ends", surge.end))
    delays = tuple(cdf(phase.name, phase.chatted.delays) for phase in told.phases)
    memory, cpu = (told.watch.memory(),), (told.watch.cpu(),)
    return (
        Plot(
            title="Delivery",
            x="ms",
            y="share",
            scale_x="log",
            scale_y="tail",
            series=delays,
        ),
        Plot(title="The server's memory", x="s", y="MiB", series=memory, marks=marks),
        Plot(
            title="The server's CPU",
            x="s",
            y="% of a core",
            series=cpu,
            marks=marks,
        ),
    )
