"""Processes killed in the middle of everything: `tradewind bench crash --rounds N`.

People speak in shared conversations with the client that ships, over QUIC and TCP. Round after
round one of the parts that a site is made of is killed with SIGKILL at a random moment, and comes
back. At the end of each bout all logs are read and held against what every sender and listener saw:
nothing that was accepted may be lost, doubled, moved or out of order (bench/load/history.py).

What holds always: who is killed is chosen by the seed; a site that does not come back within
PATIENCE seconds ends the run.
May import: load, report, options.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from bench import report
from bench.load import meter, people
from bench.load.crossfire import Crossfire, Report
from bench.load.helper import helper
from bench.load.history import Breaches, check
from bench.load.house import House
from bench.load.ledger import Heard, heard
from bench.load.site import Kind, Site, site
from bench.options import (
    BenchError,
    HtmlFile,
    JsonFile,
    Seed,
    Workers,
    command_line,
    faults,
)
from bench.report import Result, Table
from bench.report.statistics import quantile

PATIENCE = 60.0
"""Seconds that a site may take to come back."""
BOUT = 25
"""Kills after which the logs are looked at, and everybody begins anew."""
LOOK = 0.02
AWAY = (0.0, 3.0)
"""Seconds that a database is away: from, to."""
CALM = (0.3, 2.0)
"""Seconds between a recovery and the next kill: from, to."""


class Crashes(Struct, frozen=True, kw_only=True):
    """What to do."""

    kind: Kind
    rounds: int
    victims: tuple[str, ...]
    visitors: int
    agents: int
    rate: float
    workers: int
    seed: int
    bout: int = BOUT


class Kill(Struct, frozen=True):
    """One of them: who, and the seconds until the server said again that it is ready."""

    victim: str
    back: float


class Told(Struct, frozen=True):
    """What came of it."""

    kills: list[Kill]
    bouts: list[Report]

    @property
    def breaches(self) -> Breaches:
        """What the logs say, against what the senders saw."""
        found = (check(one.log, one.sends) for bout in self.bouts for one in bout.conversations)
        return sum(found, Breaches())

    @property
    def heard(self) -> Heard:
        """What the listeners missed, or heard twice or in another order."""
        verdicts = (
            heard([send.client_id for send in one.sends if send.accepted is not None], rows)
            for bout in self.bouts
            for one in bout.conversations
            for rows in one.heard
        )
        return sum(verdicts, Heard())


def crash(
    rounds: Annotated[int, typer.Option(min=1, help="Kills.")] = 100,
    victims: Annotated[
        str | None, typer.Option(help="Who may be killed, with commas between: see below.")
    ] = None,
    embedded: Annotated[
        bool, typer.Option(help="The embedded store, not PostgreSQL and Redis.")
    ] = False,
    visitors: Annotated[int, typer.Option(min=1, help="Shoppers, each with a conversation.")] = 12,
    agents: Annotated[int, typer.Option(min=0, help="Agents' sessions.")] = 4,
    rate: Annotated[float, typer.Option(help="Messages a second of each.")] = 1.0,
    workers: Workers = 2,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Kill parts of a site under load, again and again; is anything lost, doubled or moved.

    Victims: worker and store (one process of the server; with more than one worker), server (all of
    its processes at once), postgres, redis, and flush (Redis forgets all it has). Left out: all
    that there are.
    """
    with faults():
        kind: Kind = "embedded" if embedded else "site"
        names = EVERYBODY[kind] if victims is None else tuple(victims.split(","))
        if unknown := set(names) - set(EVERYBODY[kind]):
            there = ", ".join(EVERYBODY[kind])
            raise BenchError(f"no such victim: {', '.join(unknown)}; there is {there}")
        plan = Crashes(
            kind=kind,
            rounds=rounds,
            victims=names,
            visitors=visitors,
            agents=agents,
            rate=rate,
            workers=workers,
            seed=seed,
        )
        report.finish(asyncio.run(measure(plan)), json, html)


async def measure(plan: Crashes) -> Result:
    """Run it."""
    random = Random(plan.seed)
    kills: list[Kill] = []
    bouts: list[Report] = []
    with report.progress() as bar:
        task = bar.add_task("kills", total=plan.rounds)
        async with site(plan.kind, plan.workers) as place:
            while len(kills) < plan.rounds:
                bouts.append(await _bout(plan, place, random, kills, lambda: bar.advance(task)))
    return _result(plan, Told(kills, bouts))


async def _bout(
    plan: Crashes, place: Site, random: Random, kills: list[Kill], done: Callable[[], None]
) -> Report:
    """Some rounds with one crowd."""
    server = place.server
    order = Crossfire(
        server.url,
        await server.visitors(plan.visitors),
        [await server.agent()] * plan.agents,
        plan.rate,
        random.randrange(2**32),
    )
    async with helper(None, "bench.load.crossfire", order) as crowd:
        for _ in range(min(plan.bout, plan.rounds - len(kills))):
            await asyncio.sleep(random.uniform(*CALM))
            kills.append(await _kill(place, random.choice(plan.victims), random))
            done()
        return msgspec.json.decode(await crowd.stop(), type=Report)


async def _kill(place: Site, victim: str, random: Random) -> Kill:
    killed = time.monotonic()
    await VICTIMS[victim](place, random)
    try:
        async with asyncio.timeout(PATIENCE):
            await people.ready(people.HOST, place.server.http_port)
    except TimeoutError:
        raise BenchError(f"not back after {PATIENCE:g} s:\n{place.server.log()}") from None
    return Kill(victim, time.monotonic() - killed)


async def _kill_worker(place: Site, random: Random) -> None:
    await _replaced(place.server, random.choice(await _called(place.server, "tw worker")))


async def _kill_store(place: Site, random: Random) -> None:
    await _replaced(place.server, *await _called(place.server, "tw store"))


async def _kill_server(place: Site, random: Random) -> None:
    """All at once, as when the power fails."""
    for pid in meter.family(place.server.process.pid):
        os.kill(pid, signal.SIGKILL)
    await place.server.restart()


async def _kill_postgres(place: Site, random: Random) -> None:
    assert place.postgres is not None
    await asyncio.to_thread(place.postgres.kill)
    await asyncio.sleep(random.uniform(*AWAY))
    await asyncio.to_thread(place.postgres.start)


async def _kill_redis(place: Site, random: Random) -> None:
    assert place.redis is not None
    await asyncio.to_thread(place.redis.kill)
    await asyncio.sleep(random.uniform(*AWAY))
    await asyncio.to_thread(place.redis.start)


async def _flush_redis(place: Site, random: Random) -> None:
    assert place.redis is not None
    flushing = await asyncio.create_subprocess_exec(
        *("redis-cli", "-p", str(place.redis.port), "FLUSHALL"), stdout=asyncio.subprocess.DEVNULL
    )
    await flushing.wait()


VICTIMS: dict[str, Callable[[Site, Random], Awaitable[None]]] = {
    "worker": _kill_worker,
    "store": _kill_store,
    "server": _kill_server,
    "postgres": _kill_postgres,
    "redis": _kill_redis,
    "flush": _flush_redis,
}
EVERYBODY: dict[Kind, tuple[str, ...]] = {
    "embedded": ("worker", "store", "server"),
    "site": tuple(VICTIMS),
}


async def _replaced(server: House, pid: int) -> None:
    """Kill this child and wait until there are as many as before."""
    before = len(meter.children(server.process.pid))
    os.kill(pid, signal.SIGKILL)
    try:
        async with asyncio.timeout(PATIENCE):
            while not _back(server, pid, before):  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise BenchError(f"a process was not replaced:\n{server.log()}") from None


def _back(server: House, pid: int, before: int) -> bool:
    now = meter.children(server.process.pid)
    return pid not in now and len(now) >= before


async def _called(server: House, name: str) -> list[int]:
    """The children whose name begins so, once there is one. Raises BenchError."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := _named(server, name)):  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(LOOK)  # One that was replaced is still loading.
            return found
    except TimeoutError:
        raise BenchError(f"there is no process “{name}” to kill; use --workers 2 or more") from None


def _named(server: House, name: str) -> list[int]:
    found = []
    for pid in meter.children(server.process.pid):
        try:
            if Path(f"/proc/{pid}/comm").read_text().startswith(name):
                found.append(pid)
        except OSError:
            continue
    return found


# What is told of it.


def _result(plan: Crashes, told: Told) -> Result:
    breaches, missed = told.breaches, told.heard
    return Result(
        scenario="crash",
        command=command_line(),
        summary=f"{len(told.kills)} kills; {breaches.total or 'nothing'} lost, doubled, moved or"
        f" out of order in the logs, {missed.breaches or 'nothing'} at the listeners.",
        notes=(
            f"{plan.visitors} shoppers and {plan.agents} agents say {plan.rate:g} messages a second"
            f" each, in {plan.visitors} conversations; {plan.workers} workers. SIGKILL at a random"
            f" moment, {CALM[0]:g} to {CALM[1]:g} s after the last recovery.",
            "A log is right if it could have come about by taking one message after the other, each"
            " between its send and its `accepted`, and each sender's in order.",
        ),
        tables=(_by_victim(told), _outcome(told)),
    )


def _by_victim(told: Told) -> Table:
    rows = []
    for victim in dict.fromkeys(kill.victim for kill in told.kills):
        back = sorted(kill.back for kill in told.kills if kill.victim == victim)
        rows.append((victim, len(back), quantile(back, 0.5), back[-1]))
    return Table("Who was killed", ("victim", "times", "ready again s", "worst s"), tuple(rows))


def _outcome(told: Told) -> Table:
    sends = [send for bout in told.bouts for one in bout.conversations for send in one.sends]
    breaches, missed = told.breaches, told.heard
    fields = breaches.__struct_fields__
    return Table(
        "What came of it",
        (
            *("sent", "accepted", "refused", "sessions", *fields),
            *("not heard", "heard twice", "in another order"),
        ),
        (
            (
                len(sends),
                sum(send.accepted is not None for send in sends),
                ", ".join(sorted({send.refused for send in sends if send.refused})),
                sum(bout.sessions for bout in told.bouts),
                *(getattr(breaches, field) for field in fields),
                missed.missed,
                missed.doubled,
                missed.disordered,
            ),
        ),
    )
