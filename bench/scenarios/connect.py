"""How long until the first message is accepted: `tradewind bench connect`.

A shopper writes before there is a session: the message waits in the client and goes along with
`hello`. Measured from then to its `accepted`, over an emulated network: cold over each transport,
with a ticket of an earlier session (0-RTT), and where UDP is blocked.

May import: load, network, profiles, report, options.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from bench import report
from bench.load.house import House, house
from bench.load.walk import Call, Try
from bench.load.watch import cdf, ms, quantile
from bench.network import Network
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
from bench.report import Mark, Plot, Result, Series, Table
from transport.session import TransportKind

QUIC, WEBTRANSPORT, WEBSOCKET = (
    TransportKind.QUIC,
    TransportKind.WEBTRANSPORT,
    TransportKind.WEBSOCKET_H1,
)
PATIENCE = 300.0
"""Seconds for all tries of one way."""


class Way(Struct, frozen=True):
    """One row: which transports the client may take, and what it meets. `budget`: round trips that
    the median may take; None where TCP asks for what it asks for."""

    name: str
    transports: tuple[TransportKind, ...]
    budget: float | None = None
    tickets: bool = False
    udp_blocked: bool = False


WAYS = (
    Way("cold, tradewind/1 over QUIC", (QUIC, WEBSOCKET), budget=3.0),
    Way("0-RTT, tradewind/1 over QUIC", (QUIC, WEBSOCKET), budget=1.2, tickets=True),
    Way("cold, WebTransport", (WEBTRANSPORT, WEBSOCKET), budget=3.0),
    Way("resumed, WebTransport", (WEBTRANSPORT, WEBSOCKET), budget=3.0, tickets=True),
    Way("cold, WebSocket over TCP", (WEBSOCKET,)),
    Way("UDP blocked, QUIC first", (QUIC, WEBSOCKET), udp_blocked=True),
)


def connect(
    name: ProfileName = "lossy-3",
    tries: Annotated[int, typer.Option(help="Connections of each kind.")] = 20,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Time the first message of a new session: cold, with a ticket, with UDP blocked."""
    with faults():
        report.finish(asyncio.run(measure(profile(name), tries, seed)), json, html)


async def measure(path: Profile, tries: int, seed: int, ways: tuple[Way, ...] = WAYS) -> Result:
    """Run every way, one after the other, on a network and a server of their own."""
    told: dict[str, list[Try]] = {}
    with report.progress() as bar:
        task = bar.add_task("connect", total=len(ways))
        for way in ways:
            bar.update(task, description=way.name)
            with Network(path.up, path.down, seed) as net:
                async with house(place=net.server) as server:
                    net.link.block_udp(way.udp_blocked)
                    told[way.name] = await _call(net, server, way, tries)
            bar.advance(task)
    return _result(path, told)


async def _call(net: Network, server: House, way: Way, tries: int) -> list[Try]:
    [token] = await server.visitors(1)
    order = Call(server.url, token, list(way.transports), tries, 4, way.tickets)
    caller = await net.client.spawn(
        sys.executable,
        "-m",
        "bench.load.walk",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            told, _ = await caller.communicate(msgspec.json.encode(order) + b"\n")
    except TimeoutError:
        raise BenchError(f"“{way.name}” did not come to an end in {PATIENCE:g} s") from None
    finally:
        if caller.returncode is None:
            caller.kill()
            await caller.wait()
    if not told:
        raise BenchError(f"the client of “{way.name}” failed; it said why above")
    return msgspec.json.decode(told, type=list[Try])


# What is told of it.


def _result(path: Profile, told: dict[str, list[Try]]) -> Result:
    trip = path.up.delay + path.down.delay
    budgets = {way.name: way.budget for way in WAYS}
    rows = []
    for name, tries in told.items():
        seconds = sorted(one.seconds for one in tries)
        middle = quantile(seconds, 0.5)
        kinds = sorted({str(one.transport) for one in tries})
        rows.append(
            (
                name,
                len(tries),
                ms(middle),
                None if middle is None or not trip else middle / trip,
                budgets.get(name),
                ms(quantile(seconds, 0.9)),
                ms(quantile(seconds, 1.0)),
                f"{sum(one.early for one in tries)} of {len(tries)}",
                ", ".join(kinds),
            )
        )
    table = Table(
        "From the wish to speak to `accepted`",
        (
            "way",
            "tries",
            "p50 ms",
            "round trips",
            "budget",
            "p90 ms",
            "worst ms",
            "early",
            "carried by",
        ),
        tuple(rows),
        f"a round trip is {trip * 1000:g} ms of propagation; jitter and loss come on top",
    )
    return Result(
        scenario="connect",
        command=command_line(),
        profile=path.name,
        notes=(
            f"{path.about}. The client that ships, with its race and its head start; the message"
            " waits in it before there is a session, and goes along with `hello`.",
            "“Early” counts those whose first words went out with a ticket, in 0-RTT. CONNECT never"
            " goes early, so a resumed WebTransport saves the server work and no round trip.",
            "The budget is in round trips, for the median: 3 for a cold connection over QUIC, and"
            " there and back, with a fifth for jitter, for one with a ticket.",
        ),
        tables=(table,),
        plots=_plots(told, trip),
    )


def _plots(told: dict[str, list[Try]], trip: float) -> tuple[Plot, ...]:
    curves: tuple[Series, ...] = tuple(
        cdf(name, sorted(one.seconds for one in tries)) for name, tries in told.items()
    )
    marks = tuple(Mark(f"{n} round trips", n * trip * 1000) for n in (1, 3))
    return (Plot(title="First message accepted", x="ms", y="share", series=curves, marks=marks),)
