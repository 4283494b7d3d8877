"""Sessions that come, say one thing and leave, over and over: `tradewind bench churn`.

A server that keeps anything of those who left shows it here: its memory after must be its memory
before, and its tables of connections must be empty. For each transport a server of its own, which
is warmed up first: every cycle begins a conversation, and the server keeps the newest in memory, so
memory grows until their cache has reached its bound. With a shorter warm-up it is that growth which
is told, not a leak.

May import: load, report, options.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Annotated

import typer
from msgspec import Struct
from rich.progress import TaskID

from bench import report
from bench.load.fleet import Fleet, fleet
from bench.load.house import House, house
from bench.load.meter import Usage
from bench.load.watch import MIB, Watch, watching
from bench.options import Generators, HtmlFile, JsonFile, command_line, faults
from bench.report import Mark, Plot, Result, Series, Table

CHUNK = 250
"""Cycles between two steps of the progress bar."""
SETTLE = 5.0
"""Seconds for the last connections to be forgotten: QUIC's closing and TCP's keep-alive."""
TOLERANCE = 0.05
"""The share by which memory may have grown."""
CYCLES = 20_000
WARM_UP = 11_000
"""More than the 10,000 conversations that a server keeps in memory (docs/performance.md)."""
KINDS = {"quic": "WebTransport (QUIC)", "websocket": "WebSocket (TCP)"}
TABLES = ("tradewind_sessions{", "quic_connections", "quic_connection_ids", "quic_handshakes")
"""Samples of /metrics that must be 0 when everybody has left."""


class Churn(Struct, frozen=True, kw_only=True):
    """How many cycles over each transport, and how many before them to warm up."""

    cycles: int
    warm_up: int
    generators: int = 1
    settle: float = SETTLE


class Told(Struct, frozen=True, kw_only=True):
    """What one transport's run showed."""

    kind: str
    done: int
    why: dict[str, int]
    before: Usage
    after: Usage
    seconds: float
    left: dict[str, float]
    """Tables that are not empty."""
    warmed: float
    """When the warm-up was over, in seconds of the watch."""
    watch: Watch

    @property
    def growth(self) -> float:
        """Of memory, as a share."""
        return self.after.pss / self.before.pss - 1


def churn(
    cycles: Annotated[int, typer.Option(help="Cycles over each transport.")] = CYCLES,
    warm_up: Annotated[
        int, typer.Option(help="Cycles before memory is first read; caches fill in about 10,000.")
    ] = WARM_UP,
    generators: Generators = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Connect, chat and leave over loopback, many times; does the server keep anything."""
    plan = Churn(cycles=cycles, warm_up=warm_up, generators=generators)
    with faults():
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Churn) -> Result:
    """Run it over each transport."""
    told = []
    with report.progress() as bar:
        for kind, name in KINDS.items():
            task = bar.add_task(name, total=plan.warm_up + plan.cycles)

            def went(count: int, task: TaskID = task) -> None:
                bar.advance(task, count)

            told.append(await _run(plan, kind, went))
    return _result(plan, told)


async def _run(plan: Churn, kind: str, went: Callable[[int], None]) -> Told:
    async with house() as server, fleet(server, plan.generators) as load:
        async with watching(server, every=1.0) as watch:
            await _cycles(load, kind, plan.warm_up, went)
            await asyncio.sleep(plan.settle)
            before, warmed = watch.look().usage, watch.now
            done, why = await _cycles(load, kind, plan.cycles, went)
            seconds = watch.now - warmed
            await asyncio.sleep(plan.settle)
            after = watch.look().usage
        left = await _left(server)
    return Told(
        kind=kind,
        done=done,
        why=why,
        before=before,
        after=after,
        seconds=seconds,
        left=left,
        warmed=warmed,
        watch=watch,
    )


async def _cycles(
    load: Fleet, kind: str, count: int, went: Callable[[int], None]
) -> tuple[int, dict[str, int]]:
    done, why = 0, Counter[str]()
    for start in range(0, count, CHUNK):
        chunk = min(CHUNK, count - start)
        cycled = await load.cycle(kind, chunk)
        done += cycled.done
        why.update(cycled.why)
        went(chunk)
    return done, dict(why)


async def _left(server: House) -> dict[str, float]:
    """The tables that are not empty. The one TCP connection that asks does not count."""
    samples = await server.metrics()
    left = {
        name: value for name, value in samples.items() if value and any(t in name for t in TABLES)
    }
    tcp = samples.get('tradewind_listener{what="tcp_connections"}', 1.0)
    return left | ({"tcp_connections": tcp - 1} if tcp > 1 else {})


# What is told of it.


def _result(plan: Churn, told: list[Told]) -> Result:
    worst = max(one.growth for one in told)
    kept = [name for one in told for name in one.left]
    return Result(
        scenario="churn",
        command=command_line(),
        profile="loopback",
        summary=f"Memory grew by {worst:.1%} at most (budget {TOLERANCE:.0%}); "
        + ("every table is empty." if not kept else f"not empty: {', '.join(kept)}."),
        notes=(
            f"A cycle: handshake, hello, one message to a new conversation, its `accepted`, close."
            f" {plan.warm_up:,} cycles come before memory is first read; both readings wait"
            f" {plan.settle:g} s for connections to be forgotten.",
            "Memory is PSS. It includes what the allocator keeps, and the cache of conversations,"
            + (
                f" which {WARM_UP:,} cycles fill."
                if plan.warm_up >= WARM_UP
                else f" which takes {WARM_UP:,} cycles to fill: with so short a warm-up its growth"
                " counts."
            ),
        ),
        tables=(_table(plan, told),),
        plots=tuple(_plot(one) for one in told),
    )


def _table(plan: Churn, told: list[Told]) -> Table:
    return Table(
        "Coming and going",
        (
            "transport",
            "cycles",
            "failed",
            "a second",
            "before MiB",
            "after MiB",
            "growth %",
            "tables",
        ),
        tuple(
            (
                KINDS[one.kind],
                one.done,
                plan.cycles - one.done,
                one.done / one.seconds,
                one.before.pss / MIB,
                one.after.pss / MIB,
                one.growth * 100,
                ", ".join(f"{name} {value:g}" for name, value in one.left.items()) or "empty",
            )
            for one in told
        ),
        "; ".join(f"{why}: {count}" for one in told for why, count in one.why.items()),
    )


def _plot(one: Told) -> Plot:
    memory = one.watch.memory()
    return Plot(
        title=f"The server's memory: {KINDS[one.kind]}",
        x="s",
        y="MiB",
        series=(Series("memory", memory.y, memory.x),),
        marks=(Mark("warmed up", one.warmed),),
    )
