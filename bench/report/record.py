"""The record of one run: tables, plots, and where it was made.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from bench.report.statistics import cdf

Cell = str | float | int | None
"""None is shown as a dash."""


class Machine(Struct, frozen=True):
    """Where it ran. Never a name: a report is shown to others."""

    cores: int
    memory_gib: float
    kernel: str
    python: str
    load: float
    """What else ran: the load average of the last minute, at the beginning."""


def this_machine() -> Machine:
    """The one that this runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        os.cpu_count() or 1,
        round(memory / 2**30, 1),
        f"{platform.system()} {platform.release().split('-')[0]}",
        platform.python_version(),
        round(os.getloadavg()[0], 2),
    )


class Table(Struct, frozen=True):
    """A table. Numbers are rounded where they are shown, not here."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


class Series(Struct, frozen=True):
    """One line or one set of bars. For bars, `x` is left empty and the labels are the plot's."""

    name: str
    y: tuple[float, ...]
    x: tuple[float, ...] = ()


class Mark(Struct, frozen=True):
    """A line across a plot that says where something is: a bound, a moment, a budget."""

    label: str
    at: float
    axis: Literal["x", "y"] = "x"


class Plot(Struct, frozen=True, kw_only=True):
    """A plot. `scale_y` "tail" is for a CDF: y is a share, drawn as 90 %, 99 %, 99.9 % …"""

    title: str
    kind: Literal["line", "steps", "points", "bars"] = "line"
    x: str = ""
    y: str = ""
    scale_x: Literal["linear", "log"] = "linear"
    scale_y: Literal["linear", "log", "tail"] = "linear"
    labels: tuple[str, ...] = ()
    """Of the groups of bars."""
    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()


def scatter(
    title: str, x: str, y: str, points: Sequence[tuple[float, float]], marks: Sequence[Mark]
) -> Plot:
    """Messages as points (x, y), y on a logarithmic scale: most are alike, and some are far off."""
    return Plot(
        title=title,
        kind="points",
        x=x,
        y=y,
        scale_y="log",
        series=(Series("messages", tuple(y for _, y in points), tuple(x for x, _ in points)),),
        marks=tuple(marks),
    )


def tails(title: str, y: str, delays: Mapping[str, Sequence[float]], marks: Sequence[Mark]) -> Plot:
    """By name, the share of messages that came within so many milliseconds one way."""
    return Plot(
        title=title,
        kind="steps",
        x="ms, one way",
        y=y,
        scale_x="log",
        scale_y="tail",
        series=tuple(Series(name, y, x) for name, each in delays.items() for x, y in [cdf(each)]),
        marks=tuple(marks),
    )


class Result(Struct, frozen=True, kw_only=True):
    """What one command found out. `command` is what to type to see it again."""

    scenario: str
    command: str
    profile: str = ""
    summary: str = ""
    """One sentence."""
    notes: tuple[str, ...] = ()
    """What a reader must know to judge the figures."""
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    machine: Machine = field(default_factory=this_machine)
    at: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))
