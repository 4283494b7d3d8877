"""A client that is on the move: `tradewind bench roam`.

One visitor, several sessions: those near the server speak, each into a conversation of its own; one
at the other end of an emulated network listens, and there the network changes: to another address,
to a NAT that forgot its bindings, or into a tunnel where nothing passes, several times in the life
of one session. Nobody tells the client but its operating system. Nothing accepted may be missed,
doubled or out of order, and each silence is timed, with one worker and with several.

May import: load, network, profiles, report, options.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from msgspec import Struct, structs

from bench import report
from bench.load.helper import helper
from bench.load.house import house
from bench.load.ledger import Heard, Row, heard
from bench.load.walk import Arrival, Listen, Listened, Speak, Spoken
from bench.network import CLIENT, SECOND_CLIENT, Network
from bench.options import (
    BenchError,
    HtmlFile,
    JsonFile,
    ProfileName,
    Seed,
    command_line,
    faults,
)
from bench.profiles import Profile, profile
from bench.report import Cell, Mark, Plot, Result, Table
from bench.report.record import scatter
from bench.report.statistics import quantile

SPEAKERS, RATE = 10, 4.0
"""Together 40 messages a second: silence is told to 25 ms; each stays below a session's rate."""
BEFORE, AFTER = 8.0, 5.0
"""Seconds of quiet before the first event, and after the end of each. A new session is sent nine
copies of all until its path is known; at our rate they fill the window for some seconds."""
TIMES = 5
"""Events in a case: with 3 % of loss one of them says little."""
TUNNEL = 10.0
"""Seconds of darkness, where the profile does not say."""
CLIENTS = "bench.load.walk"
EVENTS = {
    "address": "another address",
    "rebind": "NAT forgets",
    "tunnel": "tunnel",
}


class Walk(Struct, frozen=True, kw_only=True):
    """What to do."""

    path: Profile
    seed: int
    events: tuple[str, ...] = tuple(EVENTS)
    workers: tuple[int, ...] = (1, 2)
    times: int = TIMES
    before: float = BEFORE
    after: float = AFTER
    tunnel: float = TUNNEL


class Moment(Struct, frozen=True):
    """An event: when it was, in ns, and how long nothing could pass, in seconds."""

    at: int
    dark: float = 0.0


class Told(Struct, frozen=True, kw_only=True):
    """One walk."""

    event: str
    workers: int
    moments: tuple[Moment, ...]
    spoken: list[Spoken]
    listened: Listened

    @property
    def verdict(self) -> Heard:
        """Whether the listener heard everything once and in order."""
        accepted: dict[UUID, list[UUID]] = defaultdict(list)
        arrivals: dict[UUID, list[Row]] = defaultdict(list)
        for spoken in self.spoken:
            accepted[spoken.conversation].append(spoken.client_id)
        for arrival in self.listened.arrivals:
            arrivals[arrival.conversation].append(Row(arrival.seq, arrival.client_id))
        parts = (heard(ids, arrivals[chat]) for chat, ids in accepted.items())
        return sum(parts, Heard())

    @property
    def silences(self) -> list[float]:
        """Seconds of silence after each event, in rising order."""
        ends = [*(moment.at for moment in self.moments[1:]), None]
        return sorted(
            silence([a for a in self.listened.arrivals if end is None or a.at <= end], at, dark)
            for (at, dark), end in zip(map(structs.astuple, self.moments), ends, strict=True)
        )


def roam(
    name: ProfileName = "lossy-3",
    workers: Annotated[
        list[int] | None, typer.Option(help="Processes of the server. Repeat it. [1, 2]")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="address, rebind or tunnel. Repeat it. [all]")
    ] = None,
    times: Annotated[int, typer.Option(min=1, help="Events of a case, one session.")] = TIMES,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Change a client's network under it; is anything lost, and how long is it silent."""
    with faults():
        if unknown := set(event or ()) - set(EVENTS):
            raise BenchError(f"no event “{unknown.pop()}”: choose from {', '.join(EVENTS)}")
        path = profile(name)
        walk = Walk(
            path=path,
            seed=seed,
            events=tuple(event or EVENTS),
            workers=tuple(workers or (1, 2)),
            times=times,
            tunnel=path.tunnel or TUNNEL,
        )
        report.finish(asyncio.run(measure(walk)), json, html)


async def measure(walk: Walk) -> Result:
    """Run every event with every number of workers."""
    told = []
    with report.progress() as bar:
        task = bar.add_task("roam", total=len(walk.events) * len(walk.workers))
        for workers in walk.workers:
            for event in walk.events:
                bar.update(task, description=f"{EVENTS[event]}, workers {workers}")
                told.append(await _walk(walk, event, workers))
                bar.advance(task)
    return _result(walk, told)


async def _walk(walk: Walk, event: str, workers: int) -> Told:
    with Network(walk.path.up, walk.path.down, walk.seed) as net:
        async with house(place=net.server, workers=workers) as server:
            [token] = await server.visitors(1)
            async with (
                helper(net.client, CLIENTS, Listen(server.url, token)) as listener,
                helper(net.server, CLIENTS, Speak(server.url, token, SPEAKERS, RATE)) as speaker,
            ):
                await asyncio.sleep(walk.before)
                moments = [await _happen(walk, event, net) for _ in range(walk.times)]
                spoken = msgspec.json.decode(await speaker.stop(), type=list[Spoken])
                listened = msgspec.json.decode(await listener.stop(), type=Listened)
    return Told(
        event=event, workers=workers, moments=tuple(moments), spoken=spoken, listened=listened
    )


async def _happen(walk: Walk, event: str, net: Network) -> Moment:
    """Let the event happen, and what follows from it."""
    moment = Moment(time.monotonic_ns(), walk.tunnel if event == "tunnel" else 0.0)
    if event == "rebind":
        net.link.rebind(SECOND_CLIENT)
    elif event == "address":
        net.client.move(CLIENT if net.client.address == SECOND_CLIENT else SECOND_CLIENT)
    else:
        net.link.blackhole(True)
        await asyncio.sleep(walk.tunnel)
        net.link.blackhole(False)
    await asyncio.sleep(walk.after)
    return moment


# What is told of it.


def silence(arrivals: Sequence[Arrival], at: int, dark: float = 0.0) -> float:
    """Seconds of the longest silence that ends after `at` (ns), not counting the `dark` seconds
    from then on, in which nothing could pass."""
    light = at + round(dark * 1e9)
    times = [arrival.at for arrival in arrivals]
    return (
        max(
            (b - a - max(0, min(b, light) - max(a, at)) for a, b in pairwise(times) if b > at),
            default=0,
        )
        / 1e9
    )


def _result(walk: Walk, told: list[Told]) -> Result:
    trip = walk.path.up.delay + walk.path.down.delay
    breaches = sum(one.verdict.breaches for one in told)
    return Result(
        scenario="roam",
        command=command_line(),
        profile=walk.path.name,
        summary=f"{breaches or 'nothing'} missed, doubled or out of order.",
        notes=(
            f"{walk.path.about}. {SPEAKERS} sessions beside the server send {RATE:g} messages a"
            " second each; the client on the move is the one that ships.",
            "“Silence” is the longest time between two deliveries that ends after an event and"
            " before the next one, without the tunnel's own time, but with every pause while the"
            " backlog comes in. “Usual” is the longest before the first event.",
            "Of a change of address the client hears from its operating system; of NAT and tunnel"
            " from nobody.",
        ),
        tables=(
            Table(
                "On the move",
                (
                    "event",
                    "workers",
                    "events",
                    "accepted",
                    "missed",
                    "doubled",
                    "disorder",
                    "silence, round trips: median",
                    "p90",
                    "worst",
                    "worst ms",
                    "usual ms",
                    "sessions",
                    "carried by",
                ),
                tuple(_row(one, trip) for one in told),
                f"a round trip is {trip * 1000:g} ms",
            ),
        ),
        plots=tuple(map(_plot, told)),
    )


def _row(one: Told, trip: float) -> tuple[Cell, ...]:
    verdict, silences = one.verdict, one.silences
    return (
        EVENTS[one.event],
        one.workers,
        len(one.moments),
        len(one.spoken),
        verdict.missed,
        verdict.doubled,
        verdict.disordered,
        *((quantile(silences, q) or 0.0) / trip if trip else None for q in (0.5, 0.9, 1.0)),
        silences[-1] * 1000,
        _usual(one) * 1000,
        len(one.listened.sessions),
        ", ".join(dict.fromkeys(map(str, one.listened.sessions))),
    )


def _usual(one: Told) -> float:
    before = [arrival for arrival in one.listened.arrivals if arrival.at <= one.moments[0].at]
    return silence(before, 0)


def _plot(one: Told) -> Plot:
    """Delay of each message by when it was sent."""
    sent = {spoken.client_id: spoken.at for spoken in one.spoken}
    start = one.moments[0].at
    points = [
        ((sent[a.client_id] - start) / 1e9, (a.at - sent[a.client_id]) / 1e6)
        for a in one.listened.arrivals
        if a.client_id in sent
    ]
    marks = []
    for at, dark in map(structs.astuple, one.moments):
        marks.append(Mark(EVENTS[one.event], (at - start) / 1e9))
        if dark:
            marks.append(Mark("out of the tunnel", (at - start) / 1e9 + dark))
    title = f"{EVENTS[one.event]}, workers: {one.workers}"
    return scatter(title, "sent, s after the first event", "delivered after, ms", points, marks)
