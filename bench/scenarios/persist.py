"""How long a commit takes: `tradewind bench persist`.

Each store in turn, at each rate, beside a bare write and fdatasync of the same bytes in the same
folder. Messages are due evenly, whatever the store does, and their latency counts from when they
were due. Each measurement is a process of its own that owns the store, as a server does.

May import: persist, load's house, peers' postgres; report, options; storage.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from msgspec import Struct
from rich.progress import Progress

from bench import report
from bench.load.house import mortal
from bench.options import BenchError, HtmlFile, JsonFile, Seed, command_line, faults
from bench.peers.postgres import Cluster, cluster
from bench.persist.arrivals import LONGEST, SHORTEST, Load, Told
from bench.persist.filesystem import NOT_DISKS, filesystem
from bench.report import Mark, Plot, Result, Series, Table
from bench.report.record import Cell
from bench.report.statistics import cdf, quantile
from storage.open import migrate

BARE = "fdatasync"
STORES = ("sqlite", "rocksdb", "postgresql")
BUDGET = 3.0
"""Milliseconds that p99 may be at BUDGET_RATE."""
BUDGET_RATE = 2_000.0
SHARES = (0.5, 0.99, 0.999, 1.0)
SEGMENTS = 32
SEGMENT = "SELECT pg_logical_emit_message(false, 'bench', ''); SELECT pg_switch_wal();"
"""A PostgreSQL that has just been made stops for some 50 ms whenever it needs another 16 MiB of
write-ahead log, until it has as many as it goes on to write over. So ours is given them first."""
COLUMNS = (
    "store",
    "asked/s",
    "accepted/s",
    "p50 ms",
    "p99",
    "p99.9",
    "max",
    "refused",
    "CPU %",
)


class Persist(Struct, frozen=True, kw_only=True):
    """What to measure."""

    stores: tuple[str, ...]
    rates: tuple[float, ...]
    seconds: float
    warm_up: float
    conversations: int
    found: bool
    seed: int
    folder: Path | None
    postgresql: str | None


class Subject(Struct, frozen=True):
    """Something to put under load, by the name that the tables call it."""

    name: str
    kind: Literal["store", "bare"]
    url: str


class Figure(Struct, frozen=True):
    """What came of one subject at one rate."""

    name: str
    load: Load
    told: Told


def persist(
    stores: Annotated[
        str, typer.Option(help=f"Of these, with commas between: {', '.join(STORES)}.")
    ] = ",".join(STORES),
    rates: Annotated[
        str, typer.Option(help="Messages a second, with commas between.")
    ] = "100,2000,10000",
    seconds: Annotated[float, typer.Option(min=0.1, help="For each store and rate.")] = 10.0,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before them.")] = 2.0,
    conversations: Annotated[int, typer.Option(min=1, help="That take turns.")] = 2000,
    found: Annotated[
        bool, typer.Option("--found/--not-found", help="Index the words, as a server does.")
    ] = True,
    folder: Annotated[
        Path | None, typer.Option(help="On the disk to measure. Default: the temporary folder.")
    ] = None,
    postgresql: Annotated[
        str | None,
        typer.Option(help="Also the PostgreSQL at this URL; an empty database, please."),
    ] = None,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure how long a commit takes in each store, beside a bare fdatasync."""
    with faults():
        plan = Persist(
            stores=_stores(stores),
            rates=_rates(rates),
            seconds=seconds,
            warm_up=warm_up,
            conversations=conversations,
            found=found,
            seed=seed,
            folder=folder,
            postgresql=postgresql,
        )
        report.finish(asyncio.run(measure(plan)), json, html)


def _stores(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in STORES:
            raise BenchError(f"there is no store {name!r}; there are {', '.join(STORES)}")
    return names


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(rate) for rate in text.split(","))
    except ValueError:
        raise BenchError(f"{text!r} are no rates; write 100,2000") from None
    if min(rates) <= 0:
        raise BenchError("a rate is more than 0 messages a second")
    return rates


async def measure(plan: Persist) -> Result:
    """Run it."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-", dir=plan.folder) as name:
        folder = Path(name)
        disk = await asyncio.to_thread(filesystem, folder)
        with report.progress() as bar, _postgresql(plan) as server:
            for rate in plan.rates:
                with _subjects(plan, folder / f"{rate:g}", server) as subjects:
                    for subject in subjects:
                        figures.append(await _measure(plan, subject, rate, folder, bar))
    return _result(plan, figures, disk)


@contextmanager
def _postgresql(plan: Persist) -> Iterator[Cluster | None]:
    """A server of our own on the same disk, if one is to be measured."""
    if "postgresql" not in plan.stores:
        yield None
        return
    with cluster(plan.folder, min_wal_size=f"{SEGMENTS * 16}MB") as server:
        server.sql("postgres", SEGMENT * SEGMENTS + "CHECKPOINT;")
        yield server


@contextmanager
def _subjects(plan: Persist, folder: Path, server: Cluster | None) -> Iterator[list[Subject]]:
    """Empty ones, the bare file first; their files are gone after the block."""
    folder.mkdir()
    try:
        yield [
            Subject(BARE, "bare", str(folder / "bare")),
            *(Subject(name, "store", _url(name, folder, server)) for name in plan.stores),
            *([] if plan.postgresql is None else [_given(plan.postgresql)]),
        ]
    finally:
        shutil.rmtree(folder)


def _url(store: str, folder: Path, server: Cluster | None) -> str:
    if store == "sqlite":
        return f"sqlite:///{folder}/log.db"
    if store == "rocksdb":
        return f"rocksdb:///{folder}/rocksdb"
    assert server is not None
    url = server.create(f"persist_{folder.name}")
    migrate(url)
    return url


def _given(url: str) -> Subject:
    migrate(url)
    return Subject("postgresql, given", "store", url)


async def _measure(
    plan: Persist, subject: Subject, rate: float, folder: Path, bar: Progress
) -> Figure:
    load = Load(
        url=subject.url,
        kind=subject.kind,
        rate=rate,
        seconds=plan.seconds,
        warm_up=plan.warm_up,
        conversations=plan.conversations,
        seed=plan.seed,
        found=plan.found,
    )
    task = bar.add_task(f"{subject.name}, {rate:g}/s", total=load.messages)
    told = folder / "told"
    order = msgspec.json.encode(load).decode()
    process = await asyncio.create_subprocess_exec(
        *mortal(None, sys.executable, "-m", "bench.persist.subject", order, str(told)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            bar.update(task, completed=int(line))
        if await process.wait():
            raise BenchError(f"{subject.name} failed at {rate:g} a second; it said why above")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    bar.update(task, completed=load.messages)
    return Figure(subject.name, load, msgspec.msgpack.decode(told.read_bytes(), type=Told))


# What is told of it.


def _result(plan: Persist, figures: list[Figure], disk: str) -> Result:
    return Result(
        scenario="persist",
        command=command_line(),
        profile=disk,
        summary=summary(figures),
        notes=(
            f"Bodies of {SHORTEST} to {LONGEST} bytes, {plan.conversations:,} conversations in "
            "turn. Messages are due evenly, whatever the store does; milliseconds count from "
            "when a message was due until its `append` returned.",
            f"{BARE}: a process that writes the bodies that are due to the end of a file and syncs "
            "it, over and over, with no loop, threads, index or check of resends around it.",
            "The process that owns the store runs as a server does, on uvloop; what knocks when a "
            "message is due is another process on the same machine. CPU is the first one's, "
            "without a PostgreSQL's.",
            "Our own PostgreSQL has its settings as shipped, but for connections and memory, and "
            f"{SEGMENTS} segments of write-ahead log to write over, as one that has run for a "
            "while.",
            f"{plan.seconds:g} s each, after {plan.warm_up:g} s that are not counted; one after "
            "the other, each with a store that was empty before. Afterwards the store held all "
            "that it had accepted.",
            *((f"{disk} is memory: nothing here went to a disk.",) if disk in NOT_DISKS else ()),
        ),
        tables=(Table("Commit", COLUMNS, tuple(map(_row, figures))),),
        plots=(*(_cdf(rate, figures) for rate in plan.rates), _bars(plan, figures)),
    )


def summary(figures: list[Figure]) -> str:
    """Who kept the budget, if it was asked for."""
    asked = [f for f in figures if f.load.rate == BUDGET_RATE and f.load.kind == "store"]
    if not asked:
        return f"The budget is for {BUDGET_RATE:,.0f} messages a second, which were not asked for."
    late = [f"{f.name} {_p99(f):.1f} ms" for f in asked if _p99(f) > BUDGET]
    kept = f"within {BUDGET:g} ms at {BUDGET_RATE:,.0f} messages a second"
    if late:
        return f"p99 was not {kept}: {', '.join(late)}."
    return f"p99 was {kept} in every store."


def _p99(figure: Figure) -> float:
    """Without end where nothing was accepted."""
    told = quantile(figure.told.delays, 0.99)
    return math.inf if told is None else told


def _row(figure: Figure) -> tuple[Cell, ...]:
    told = figure.told
    return (
        figure.name,
        int(figure.load.rate),
        len(told.delays) / told.took,
        *(quantile(told.delays, share) for share in SHARES),
        told.refused,
        100 * told.cpu / (told.took + figure.load.warm_up),
    )


def _cdf(rate: float, figures: list[Figure]) -> Plot:
    series = tuple(
        Series(figure.name, y, x)
        for figure in figures
        if figure.load.rate == rate
        for x, y in [cdf(figure.told.delays)]
    )
    return Plot(
        title=f"{rate:,.0f} messages a second",
        kind="steps",
        x="ms from when a message was due until it was on disk",
        y="share on disk within",
        scale_x="log",
        scale_y="tail",
        series=series,
        marks=(Mark("budget for p99", BUDGET),) if rate == BUDGET_RATE else (),
    )


def _bars(plan: Persist, figures: list[Figure]) -> Plot:
    names = dict.fromkeys(figure.name for figure in figures)
    return Plot(
        title="p99",
        kind="bars",
        y="ms",
        scale_y="log",
        labels=tuple(f"{rate:,.0f} a second" for rate in plan.rates),
        series=tuple(
            Series(
                name,
                tuple(quantile(f.told.delays, 0.99) or 0.0 for f in figures if f.name == name),
            )
            for name in names
        ),
        marks=(Mark("budget at 2,000 a second", BUDGET, "y"),),
    )
