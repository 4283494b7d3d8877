"""What the hot index gives: `tradewind bench resume`.

Conversations are resumed, a few entries behind their head each, by as many people at once as asked
for: from the store, from the store behind the index, and so on in turns, in one process. The same
for appends, which the index costs a round trip. And once from an index that was just flushed.

May import: peers' postgres and redis; report, options; storage.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID, uuid4

import typer
import uvloop
from msgspec import Struct

from bench import report
from bench.options import BenchError, HtmlFile, JsonFile, Seed, command_line, faults
from bench.peers.postgres import cluster
from bench.peers.redis import redis_server
from bench.report import Plot, Result, Series, Table
from bench.report.record import Cell
from bench.report.statistics import cdf, quantile
from storage.base import Draft, MessageLog
from storage.hot import HotLog, Tuning
from storage.limits import MAX_CALL
from storage.open import migrate, open_storage
from storage.redis import Redis, connect

COLUMNS = ("", "a second", "p50 ms", "p99", "p99.9", "CPU, µs each")
BODY = 200
"""Bytes of an entry's body."""


class Plan(Struct, frozen=True, kw_only=True):
    """What to measure."""

    database: str | None
    redis: str | None
    conversations: int
    entries: int
    missed: int
    at_once: int
    seconds: float
    rounds: int
    seed: int


class Took(Struct):
    """Milliseconds of each, and what all of them cost."""

    name: str
    times: list[float] = []
    seconds: float = 0.0
    cpu: float = 0.0


Act = Callable[[MessageLog, UUID], Awaitable[None]]


def resume(
    database: Annotated[
        str | None, typer.Option(help="The store; an empty one. Default: a PostgreSQL of its own.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(help="It will be flushed. Default: a Redis of its own.")
    ] = None,
    conversations: Annotated[int, typer.Option(min=1)] = 2_000,
    entries: Annotated[int, typer.Option(min=1, help="Of each conversation.")] = 60,
    missed: Annotated[int, typer.Option(min=1, help="Entries a resume brings.")] = 3,
    at_once: Annotated[int, typer.Option(min=1, help="People who resume at a time.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each turn.")] = 2.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure resumes from the store and from the hot index in Redis, in turns."""
    with faults():
        if missed > entries:
            raise BenchError("nobody can have missed more entries than there are")
        plan = Plan(
            database=database,
            redis=redis,
            conversations=conversations,
            entries=entries,
            missed=missed,
            at_once=at_once,
            seconds=seconds,
            rounds=rounds,
            seed=seed,
        )
        report.finish(uvloop.run(measure(plan)), json, html)


async def measure(plan: Plan) -> Result:
    """Run it."""
    dice = random.Random(plan.seed)
    async with _stores(plan) as (name, store, redis):
        ids = [uuid4() for _ in range(plan.conversations)]
        await _fill(store, ids, plan.entries)
        # Nothing to settle: this Redis has not taken over from another.
        hot = HotLog(store, redis, tuning=Tuning(settle=0))
        resumes = [Took(f"{name} alone"), Took(f"{name} behind the index")]
        appends = [Took(one.name) for one in resumes]
        cold = Took("the index just flushed")
        await _each(hot, ids, plan, _resumer(plan))
        for _ in range(plan.rounds):
            for number, log in enumerate((store, hot)):
                await _turn(resumes[number], log, ids, plan, dice, _resumer(plan))
                await _turn(appends[number], log, ids, plan, dice, _append)
                await _each(hot, ids, plan, _resumer(plan))  # As it was, whoever's turn is next.
        hits, misses = hot.hits, hot.misses
        await redis.flushall()
        await _measured(cold, _each(hot, ids, plan, _timed(cold, _resumer(plan))))
        errors = hot.errors
        await hot.close()
    return _result(plan, [*resumes, cold], appends, (hits, misses, errors))


@asynccontextmanager
async def _stores(plan: Plan) -> AsyncIterator[tuple[str, MessageLog, Redis]]:
    with redis_server() as own:
        redis = connect(plan.redis or own.unix_url)
        await redis.flushall()
        try:
            if plan.database is not None:
                migrate(plan.database)
                storage = open_storage(plan.database)
                yield plan.database.partition(":")[0], storage.log, redis
                await storage.close()
                return
            with cluster() as server:
                url = server.create("resume")
                migrate(url)
                storage = open_storage(url)
                yield "postgresql", storage.log, redis
                await storage.close()
        finally:
            await redis.aclose()


async def _fill(log: MessageLog, ids: list[UUID], entries: int) -> None:
    drafts = [_draft(id) for _ in range(entries) for id in ids]
    for start in range(0, len(drafts), MAX_CALL):
        await log.append(drafts[start : start + MAX_CALL])


def _draft(id: UUID) -> Draft:
    return Draft(id, "v:somebody", uuid4(), "message", b"x" * BODY, time.time_ns() // 1_000_000)


def _resumer(plan: Plan) -> Act:
    async def act(log: MessageLog, id: UUID) -> None:
        """As a session does that was away for a few entries."""
        head = (await log.heads([id]))[id].seq
        found = await log.read(id, after=head - plan.missed, limit=plan.missed)
        if len(found) < plan.missed:
            raise BenchError("a resume brought less than there is")

    return act


async def _append(log: MessageLog, id: UUID) -> None:
    await log.append([_draft(id)])


def _timed(took: Took, act: Act) -> Act:
    async def timed(log: MessageLog, id: UUID) -> None:
        began = time.perf_counter()
        await act(log, id)
        took.times.append((time.perf_counter() - began) * 1000)

    return timed


async def _turn(
    took: Took, log: MessageLog, ids: list[UUID], plan: Plan, dice: random.Random, act: Act
) -> None:
    """Everybody, again and again, for the time of a turn."""
    end = time.perf_counter() + plan.seconds
    timed = _timed(took, act)

    async def person() -> None:
        while time.perf_counter() < end:
            await timed(log, dice.choice(ids))

    async def everybody() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(plan.at_once):
                tasks.create_task(person())

    await _measured(took, everybody())


async def _each(log: MessageLog, ids: list[UUID], plan: Plan, act: Act) -> None:
    """Every conversation once."""
    waiting = iter(ids)

    async def person() -> None:
        for id in waiting:
            await act(log, id)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(plan.at_once):
            tasks.create_task(person())


async def _measured(took: Took, work: Awaitable[None]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    await work
    took.seconds += time.perf_counter() - began
    took.cpu += time.process_time() - cpu


def _result(
    plan: Plan, resumes: list[Took], appends: list[Took], counts: tuple[int, int, int]
) -> Result:
    for took in (*resumes, *appends):
        took.times.sort()
    hits, misses, errors = counts
    return Result(
        scenario="resume",
        command=command_line(),
        summary=f"{hits:,} reads were answered by the index, {misses:,} went past it to the "
        f"store; {errors:,} calls to Redis failed.",
        notes=(
            f"{plan.conversations:,} conversations of {plan.entries} entries, {BODY} bytes each. "
            f"A resume asks for the head, and then for the last {plan.missed} entries. "
            f"{plan.at_once} at a time, each waiting for the last before the next.",
            f"In turns of {plan.seconds:g} s, {plan.rounds} of each; all on this machine: what "
            "asks, Redis and the store share its cores. CPU is that of the process that asks.",
            "Just flushed: every conversation once, so the index answered none of the heads.",
        ),
        tables=(
            Table("Resumes", COLUMNS, tuple(map(_row, resumes))),
            Table("Appends", COLUMNS, tuple(map(_row, appends))),
        ),
        plots=(
            Plot(
                title="Resumes",
                kind="steps",
                x="ms",
                y="share within",
                scale_x="log",
                scale_y="tail",
                series=tuple(Series(t.name, y, x) for t in resumes for x, y in [cdf(t.times)]),
            ),
        ),
    )


def _row(took: Took) -> tuple[Cell, ...]:
    count = len(took.times)
    return (
        took.name,
        count / took.seconds,
        *(quantile(took.times, share) for share in (0.5, 0.99, 0.999)),
        1e6 * took.cpu / max(count, 1),
    )
