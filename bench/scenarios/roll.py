"""A rolling restart under load: `tradewind bench roll`.

Shoppers at the far end of an emulated network chat while the server's workers are replaced, several
times. Nothing accepted may be lost, doubled or out of order, and nobody may wait noticeably longer
for `accepted` than without it.

May import: load, network, profiles, report, options.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from bench import report
from bench.load import meter
from bench.load.crowd import Crowd, Said, Shopper
from bench.load.helper import helper
from bench.load.house import House, house
from bench.load.ledger import Heard, Row, heard
from bench.network import Network
from bench.options import BenchError, HtmlFile, JsonFile, ProfileName, Seed, command_line, faults
from bench.profiles import Profile, profile
from bench.report import Cell, Mark, Plot, Result, Table
from bench.report.record import scatter
from bench.report.statistics import quantile

BEFORE, AFTER = 10.0, 5.0
"""Seconds of chat before the first restart, and after the end of each."""
PATIENCE = 60.0
"""Seconds that a restart may take."""
LOOK = 0.1
BUDGET = 2.0
"""Round trips that nobody may wait longer than."""


class Rolling(Struct, frozen=True, kw_only=True):
    """What to do."""

    path: Profile
    seed: int
    shoppers: int
    rate: float
    workers: int
    times: int
    drain: float
    before: float = BEFORE
    after: float = AFTER


class Told(Struct, frozen=True, kw_only=True):
    """What happened. `restarts` are the begin and end of each, in ns."""

    restarts: list[tuple[int, int]]
    shoppers: list[Shopper]

    @property
    def verdict(self) -> Heard:
        """Whether each shopper heard everything of theirs once and in order."""
        parts = (
            heard(
                [said.client_id for said in one.said],
                [Row(came.seq, came.client_id) for came in one.heard],
            )
            for one in self.shoppers
        )
        return sum(parts, Heard())

    def waits(self, during: bool) -> list[float]:
        """Seconds from the send to `accepted`, in rising order, of what was sent in a restart, or
        of the rest."""
        return sorted(
            (said.accepted - said.sent) / 1e9
            for one in self.shoppers
            for said in one.said
            if during == self._within(said)
        )

    def _within(self, said: Said) -> bool:
        return any(begin <= said.sent <= end for begin, end in self.restarts)


def roll(
    name: ProfileName = "lossy-3",
    shoppers: Annotated[int, typer.Option(min=1, help="Who chat.")] = 40,
    rate: Annotated[float, typer.Option(help="Messages a second of each.")] = 1.0,
    workers: Annotated[int, typer.Option(min=2, help="Processes of the server.")] = 2,
    times: Annotated[int, typer.Option(min=1, help="Restarts.")] = 3,
    drain: Annotated[float, typer.Option(help="Seconds that clients get to move over.")] = 10.0,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Restart the workers under people who chat; is anything lost, and does anybody wait."""
    with faults():
        plan = Rolling(
            path=profile(name),
            seed=seed,
            shoppers=shoppers,
            rate=rate,
            workers=workers,
            times=times,
            drain=drain,
        )
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Rolling) -> Result:
    """Run it."""
    with report.progress() as bar:
        task = bar.add_task("restarts", total=plan.times)
        with Network(plan.path.up, plan.path.down, plan.seed) as net:
            drain = {"TRADEWIND_DRAIN_SECONDS": f"{plan.drain:g}"}
            async with house(place=net.server, workers=plan.workers, settings=drain) as server:
                order = Crowd(server.url, await server.visitors(plan.shoppers), plan.rate)
                async with helper(net.client, "bench.load.crowd", order) as crowd:
                    await asyncio.sleep(plan.before)
                    restarts = []
                    for _ in range(plan.times):
                        restarts.append(await _restart(server, plan.workers))
                        bar.advance(task)
                        await asyncio.sleep(plan.after)
                    shoppers = msgspec.json.decode(await crowd.stop(), type=list[Shopper])
    return _result(plan, Told(restarts=restarts, shoppers=shoppers))


async def _restart(server: House, workers: int) -> tuple[int, int]:
    """Replace all workers; when that began and when the last old one was gone, in ns."""
    begin, before = time.monotonic_ns(), set(_children(server))
    server.process.send_signal(signal.SIGHUP)
    try:
        async with asyncio.timeout(PATIENCE):
            while not _replaced(before, set(_children(server)), workers):  # noqa: ASYNC110
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise BenchError(f"a restart took over {PATIENCE:g} s:\n{server.log()}") from None
    return begin, time.monotonic_ns()


def _replaced(before: set[int], now: set[int], workers: int) -> bool:
    """Whether all workers are other ones. The store process stays."""
    return len(before & now) <= 1 and len(now) > workers


def _children(server: House) -> list[int]:
    return meter.children(server.process.pid)


# What is told of it.


def _result(plan: Rolling, told: Told) -> Result:
    trip = plan.path.up.delay + plan.path.down.delay
    during = told.waits(True)
    worst = during[-1] / trip if during and trip else 0.0
    return Result(
        scenario="roll",
        command=command_line(),
        profile=plan.path.name,
        summary=f"{told.verdict.breaches or 'nothing'} lost, doubled or out of order; the longest"
        f" wait in a restart was {worst:.2f} round trips (budget {BUDGET:g}).",
        notes=(
            f"{plan.path.about}. {plan.shoppers} shoppers say {plan.rate:g} messages a second each,"
            f" with the client that ships; {plan.workers} workers, replaced {plan.times} times"
            f" (SIGHUP), with {plan.drain:g} s for clients to move over.",
            "A wait is from the wish to send to `accepted`. A restart lasts until the last of the"
            " old workers has gone.",
        ),
        tables=(
            Table(
                "A rolling restart under load",
                ("when", "messages", "p50 ms", "p99 ms", "worst ms", "worst, round trips"),
                (
                    _row("quiet", told.waits(False), trip),
                    _row("during a restart", during, trip),
                ),
                f"a round trip is {trip * 1000:g} ms",
            ),
            _outcome(told),
        ),
        plots=(_plot(told),),
    )


def _row(when: str, waits: list[float], trip: float) -> tuple[Cell, ...]:
    figures = [quantile(waits, q) or 0.0 for q in (0.5, 0.99, 1.0)]
    return (when, len(waits), *(f * 1000 for f in figures), figures[-1] / trip if trip else None)


def _outcome(told: Told) -> Table:
    verdict = told.verdict
    moves = [len(one.sessions) - 1 for one in told.shoppers]
    lasted = [(end - begin) / 1e9 for begin, end in told.restarts]
    carried = dict.fromkeys(str(kind) for one in told.shoppers for kind in one.sessions)
    return Table(
        "What came of it",
        (
            "accepted",
            "lost",
            "doubled",
            "disorder",
            "a restart took s",
            "moves of a shopper: fewest",
            "most",
            "carried by",
        ),
        (
            (
                sum(len(one.said) for one in told.shoppers),
                verdict.missed,
                verdict.doubled,
                verdict.disordered,
                max(lasted),
                min(moves),
                max(moves),
                ", ".join(carried),
            ),
        ),
    )


def _plot(told: Told) -> Plot:
    start = min(said.sent for one in told.shoppers for said in one.said)
    points = [
        ((said.sent - start) / 1e9, (said.accepted - said.sent) / 1e6)
        for one in told.shoppers
        for said in one.said
    ]
    marks = [
        Mark(label, (at - start) / 1e9)
        for span in told.restarts
        for label, at in zip(("restart", "done"), span, strict=True)
    ]
    return scatter("Each message, by when it was sent", "s", "accepted after, ms", points, marks)
