"""`tradewind bench link`: how exactly the emulated link does what it was told.

May import: network, profiles, report, options.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bench import report
from bench.network import Shape
from bench.network.accuracy import RATE, Accuracy, Way, measure
from bench.options import HtmlFile, JsonFile, ProfileName, Seed, command_line, faults
from bench.profiles import Profile, profile
from bench.report.record import Cell, Plot, Result, Series, Table
from bench.report.statistics import cdf, mean, quantile

COLUMNS = ("what", "asked, up", "up", "asked, down", "down")


def link(
    profile_name: ProfileName = "lossy-3",
    packets: Annotated[int, typer.Option(min=1000, help="Packets per direction.")] = 20_000,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure the emulated link itself: delay, loss, bursts, order, what it carries."""
    with faults():
        network = profile(profile_name)
        found = asyncio.run(measure(network.up, network.down, packets, seed))
        report.finish(result(network, found), json, html)


def result(network: Profile, found: Accuracy) -> Result:
    """The record of a measurement."""
    return Result(
        scenario="link",
        profile=network.name,
        command=command_line(),
        summary=f"{network.name}: {network.about}. {found.up.sent:,} packets each way.",
        notes=(
            "Measured by UDP between the two namespaces, from before the send to after the "
            "receive, with processes that need not wait for a core.",
            "“Late” is how much after its time the link let a packet go, by its own clock.",
        ),
        tables=(_ways(network, found), _link(found)),
        plots=(_plot(found),),
    )


def _ways(network: Profile, found: Accuracy) -> Table:
    columns = zip(
        _names(), _asked(network.up), _got(found.up), _asked(network.down), _got(found.down),
        strict=True,
    )  # fmt: skip
    return Table("What was asked and what came", COLUMNS, tuple(columns))


def _names() -> tuple[str, ...]:
    return (
        "delay, least, ms",
        "delay, mean, ms",
        "delay, p99.9, ms",
        "loss, %",
        "lost in a row, mean",
        "overtaken, %",
    )


def _asked(shape: Shape) -> tuple[Cell, ...]:
    late = shape.reorder * shape.reorder_by
    return (
        shape.delay * 1000,
        (shape.delay + shape.jitter / 2 + late) * 1000,
        (shape.delay + shape.jitter * 0.999 + (shape.reorder_by if late else 0)) * 1000,
        shape.loss * 100,
        (shape.burst or 1 / (1 - shape.loss)) if shape.loss else None,
        shape.reorder * 100,
    )


def _got(way: Way) -> tuple[Cell, ...]:
    return (
        quantile(way.delays, 0.0),
        mean(way.delays),
        quantile(way.delays, 0.999),
        way.loss * 100,
        way.burst,
        way.overtaken * 100,
    )


def _link(found: Accuracy) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = (
        ("late, p50, ms", found.link.late_at(0.5) * 1000),
        ("late, p99, ms", found.link.late_at(0.99) * 1000),
        ("late, p99.9, ms", found.link.late_at(0.999) * 1000),
        ("carries by TCP without a rate, Mbit/s", found.unshaped / 1e6),
        (f"carries by TCP at a rate of {RATE / 1e6:g}, Mbit/s", found.at_rate / 1e6),
    )
    return Table("The link itself", ("what", "measured"), rows)


def _plot(found: Accuracy) -> Plot:
    ways = (("up", found.up), ("down", found.down))
    series = [Series(name, y, x) for name, way in ways for x, y in [cdf(way.delays)]]
    return Plot(
        title="One-way delay of the link",
        kind="steps",
        x="ms",
        y="share within",
        scale_y="tail",
        series=tuple(series),
    )
