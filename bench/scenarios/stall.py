"""A server that stands still: `tradewind bench stall`.

Sessions idle, the server's process is stopped for some seconds, as by a machine that swaps, moves
or is not given its turn, and goes on. What all of them sent meanwhile is sent again, theirs and its
own, and answered again. That must die down: a server that makes more of it than it takes in never
comes back, although nobody wants anything of it.

May import: load, report, options.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Annotated

import typer
from msgspec import Struct

from bench import report
from bench.load.fleet import Fleet, fleet
from bench.load.house import House, house
from bench.options import BenchError, HtmlFile, JsonFile, command_line, faults
from bench.report import Mark, Plot, Result, Series, Table

CHUNK = 500
CALM = 10.0
"""Seconds that are looked at before it stops."""
LOOK = 2.0
"""Seconds between two looks after it."""
PATIENCE = 90.0
"""Seconds after which it is not coming back."""
ANSWER = 30.0
"""Seconds for one look: the server that is asked is the one that is busy."""
NOISE = 3.0
"""Times as many packets as before that count as calm: the heartbeats come in groups."""
FLOOR = 50.0
"""Packets a second that are calm in any case."""
IN, OUT = (f'tradewind_listener{{what="quic_packets_{way}"}}' for way in ("in", "out"))


class Stall(Struct, frozen=True, kw_only=True):
    """What to do."""

    sessions: int
    seconds: float
    calm: float = CALM
    patience: float = PATIENCE


class Moment(Struct, frozen=True):
    """Packets a second and the share of a core, until `at` seconds after it went on."""

    at: float
    packets_in: float
    packets_out: float
    cpu: float


class Told(Struct, frozen=True, kw_only=True):
    """What happened. `back` is when it was calm again, None if it was not."""

    before: Moment
    after: list[Moment]
    back: float | None
    live: int


def stall(
    sessions: Annotated[int, typer.Option(min=1, help="WebTransport sessions.")] = 2000,
    seconds: Annotated[float, typer.Option(help="How long the server stands still.")] = 3.0,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Stop the server for seconds, over loopback; does it come back, and with everybody."""
    plan = Stall(sessions=sessions, seconds=seconds)
    with faults():
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Stall) -> Result:
    """Run it."""
    with report.progress() as bar:
        task = bar.add_task("opening", total=plan.sessions)
        async with house() as server, fleet(server) as load:
            for have in range(0, plan.sessions, CHUNK):
                count = min(CHUNK, plan.sessions - have)
                await load.open(quic=count)
                bar.advance(task, count)
            bar.update(task, description="standing still")
            told = await _stall(plan, server, load)
    return _result(plan, told)


async def _stall(plan: Stall, server: House, load: Fleet) -> Told:
    watch = _Watch(server)
    await watch.look()
    await asyncio.sleep(plan.calm)
    before = await watch.look()
    server.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(plan.seconds)
    server.process.send_signal(signal.SIGCONT)
    watch.begin = time.monotonic()
    after: list[Moment] = []
    back = None
    while back is None and time.monotonic() < watch.begin + plan.patience:
        await asyncio.sleep(LOOK)
        after.append(await watch.look())
        if after[-1].packets_in <= max(FLOOR, NOISE * before.packets_in):
            back = after[-2].at if len(after) > 1 else 0.0
    return Told(before=before, after=after, back=back, live=(await load.look()).live)


class _Watch:
    """Packets and CPU between two looks."""

    def __init__(self, server: House) -> None:
        self.begin = time.monotonic()
        self._server = server
        self._last = (self.begin, 0.0, 0.0, 0.0)

    async def look(self) -> Moment:
        """Since the last look. Raises BenchError."""
        try:
            told = await asyncio.wait_for(self._server.metrics(), ANSWER)
        except TimeoutError:
            raise BenchError(f"the server did not answer for {ANSWER:g} s") from None
        now = (time.monotonic(), told[IN], told[OUT], self._server.usage().cpu)
        passed, came, went, cpu = (a - b for a, b in zip(now, self._last, strict=True))
        self._last = now
        return Moment(now[0] - self.begin, came / passed, went / passed, cpu / passed)


# What is told of it.


def _result(plan: Stall, told: Told) -> Result:
    back = "it did not come back" if told.back is None else f"calm again after {told.back:.0f} s"
    return Result(
        scenario="stall",
        command=command_line(),
        profile="loopback",
        summary=f"{back}, with {told.live:,} of {plan.sessions:,} sessions.",
        notes=(
            f"Idle WebTransport sessions; the server's process is stopped for {plan.seconds:g} s"
            " (SIGSTOP) and goes on. Client and server share this machine.",
            f"Calm is at most {NOISE:g} times the packets of before. The time is told to the"
            f" {LOOK:g} s between two looks.",
        ),
        tables=(
            Table(
                "After it stood still",
                ("seconds after", "packets in a second", "out", "CPU %"),
                (_row("before", told.before), *(_row(f"{m.at:.0f}", m) for m in told.after)),
            ),
        ),
        plots=(
            Plot(
                title="Packets a second",
                x="s after it went on",
                series=(
                    Series("in", *_line([m.packets_in for m in told.after], told.after)),
                    Series("out", *_line([m.packets_out for m in told.after], told.after)),
                ),
                marks=(Mark("before", told.before.packets_in, "y"),),
            ),
        ),
    )


def _row(when: str, moment: Moment) -> tuple[str, float, float, float]:
    return (when, moment.packets_in, moment.packets_out, moment.cpu * 100)


def _line(y: list[float], moments: list[Moment]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(y), tuple(moment.at for moment in moments)
