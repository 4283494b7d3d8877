"""How long a search takes, and what the index costs a commit: `tradewind bench search`.

Each store in turn, in this process, as a server has it: filled with messages in two scripts whose
words are as frequent as words are, then written to beside a store of the same kind that is not told
what to index, round about, and then asked.

May import: peers' postgres; report, options; storage.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from msgspec import Struct
from msgspec.structs import replace
from rich.progress import Progress

from bench import report
from bench.options import BenchError, HtmlFile, JsonFile, Seed, command_line, faults
from bench.peers.postgres import cluster
from bench.report import Result, Table
from bench.report.record import Cell
from bench.report.statistics import mean, quantile
from storage.base import Draft, Findable
from storage.open import Storage, migrate, open_storage

STORES = ("sqlite", "postgresql")
SHOP = "shop"
CHUNK = 250
"""Messages of one append while the store is filled."""
ROUNDS = 400
"""Commits measured with the index, and as many without."""
TOGETHER = 10
"""Messages that wait for one commit: what a group is at a few thousand a second."""
ASKED = 25
"""Times that each query is asked."""
SHARES = (0.5, 0.99, 1.0)
VOCABULARY = 20_000
SIGNS = 3_000


class Writer:
    """Somebody who writes as people do: few words often, most words hardly ever."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.words = [self._word() for _ in range(VOCABULARY)]
        self.signs = [chr(0x4E00 + n) for n in range(SIGNS)]
        self._words = list(accumulate(1 / (n + 1) for n in range(VOCABULARY)))
        self._signs = list(accumulate(1 / (n + 10) for n in range(SIGNS)))

    def text(self) -> str:
        """A message: one in five is Chinese."""
        dice = self._random
        if dice.random() < 0.2:
            return "".join(dice.choices(self.signs, cum_weights=self._signs, k=dice.randint(5, 30)))
        return " ".join(dice.choices(self.words, cum_weights=self._words, k=dice.randint(4, 25)))

    def draft(self, number: int) -> Draft:
        """One message, the first of its conversation, a millisecond after the one before."""
        text = self.text()
        ids = (UUID(int=self._random.getrandbits(128)) for _ in range(2))
        return Draft(
            next(ids),
            "v:00000000-0000-0000-0000-000000000000",
            next(ids),
            "message",
            b"\x81\xa4text" + text.encode(),
            1_700_000_000_000 + number,
            Findable(SHOP, text),
        )

    def queries(self) -> dict[str, str]:
        """What is asked, by what it is called."""
        words, signs = self.words, self.signs
        return {
            "the most frequent word": words[0] + " ",
            "a frequent word": words[30],
            "a rare word": words[9_000],
            "a frequent and a rare word": f"{words[0]} {words[4_000]}",
            "one letter": words[0][0],
            "two letters": words[0][:2],
            "two frequent signs": signs[0] + signs[1],
            "two rare signs": signs[900] + signs[1_000],
            "one frequent sign": signs[0],
            "nothing that is there": "xylophone quartz",
        }

    def _word(self) -> str:
        dice = self._random
        return "".join(
            dice.choice("bcdfghklmnprstvz") + dice.choice("aeiou")
            for _ in range(dice.randint(2, 4))
        )


class Plan(Struct, frozen=True):
    """What to measure."""

    stores: tuple[str, ...]
    entries: int
    seed: int
    folder: Path | None


def search(
    stores: Annotated[
        str, typer.Option(help=f"Of these, with commas between: {', '.join(STORES)}.")
    ] = ",".join(STORES),
    entries: Annotated[int, typer.Option(min=1_000, help="Messages to search in.")] = 200_000,
    folder: Annotated[
        Path | None, typer.Option(help="On the disk to measure. Default: the temporary folder.")
    ] = None,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure how long a search takes, and what its index costs a commit."""
    with faults():
        names = tuple(name.strip() for name in stores.split(",") if name.strip())
        for name in names:
            if name not in STORES:
                raise BenchError(f"there is no index in {name!r}; there is in {', '.join(STORES)}")
        plan = Plan(names, entries, seed, folder)
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Plan) -> Result:
    """Run it."""
    commits: list[tuple[Cell, ...]] = []
    searches: list[tuple[Cell, ...]] = []
    with report.progress() as bar:
        for name in plan.stores:
            with _urls(name, plan.folder) as (indexed, plain):
                writer = Writer(plan.seed)
                stores = [open_storage(indexed), open_storage(plain)]
                try:
                    await _fill(stores, writer, plan.entries, bar, name)
                    commits += await _commits(stores, writer, plan.entries, name)
                    searches += await _searches(stores[0], writer, name)
                finally:
                    for store in stores:
                        await store.close()
    columns = tuple(f"{share} ms" for share in ("mean", "p50", "p99", "max"))
    return Result(
        scenario="search",
        command=command_line(),
        summary=f"{plan.entries:,} messages in each store.",
        notes=(
            f"{TOGETHER} messages to a commit; one commit with the index, one without, in turn, "
            f"each in a store with as many messages. Each query {ASKED} times, 20 hits at most.",
        ),
        tables=(
            Table(f"A commit of {TOGETHER} messages", ("store", "", *columns), tuple(commits)),
            Table("A search", ("store", "for", "hits", *columns), tuple(searches)),
        ),
    )


@contextmanager
def _urls(store: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    """Two empty stores of a kind."""
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-", dir=folder) as name:
        if store == "sqlite":
            yield f"sqlite:///{name}/indexed.db", f"sqlite:///{name}/plain.db"
            return
        with cluster(folder) as server:
            urls = server.create("indexed"), server.create("plain")
            for url in urls:
                migrate(url)
            yield urls


async def _fill(
    stores: list[Storage], writer: Writer, count: int, bar: Progress, name: str
) -> None:
    task = bar.add_task(f"{name}: {count} messages", total=count)
    for at in range(0, count, CHUNK):
        drafts = [writer.draft(at + n) for n in range(min(CHUNK, count - at))]
        await stores[0].log.append(drafts)
        await stores[1].log.append([replace(draft, findable=None) for draft in drafts])
        bar.update(task, advance=len(drafts))


async def _commits(
    stores: list[Storage], writer: Writer, at: int, name: str
) -> list[tuple[Cell, ...]]:
    taken: tuple[list[float], list[float]] = [], []
    for _ in range(ROUNDS):
        drafts = [writer.draft(at + n) for n in range(TOGETHER)]
        at += TOGETHER
        for store, times in zip(stores, taken, strict=True):
            if store is stores[1]:
                drafts = [replace(draft, findable=None) for draft in drafts]
            started = time.perf_counter()
            await store.log.append(drafts)
            times.append((time.perf_counter() - started) * 1e3)
    names = ("with the index", "without")
    return [(name, which, *_figures(times)) for which, times in zip(names, taken, strict=True)]


async def _searches(store: Storage, writer: Writer, name: str) -> list[tuple[Cell, ...]]:
    assert store.search is not None
    rows: list[tuple[Cell, ...]] = []
    for called, query in writer.queries().items():
        times, hits = [], 0
        for _ in range(ASKED):
            started = time.perf_counter()
            hits = len(await store.search.messages(SHOP, query))
            times.append((time.perf_counter() - started) * 1e3)
        rows.append((name, called, hits, *_figures(times)))
    return rows


def _figures(times: list[float]) -> tuple[float | None, ...]:
    ordered = sorted(times)
    return (mean(ordered), *(quantile(ordered, share) for share in SHARES))
