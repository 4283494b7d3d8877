"""How far one region lags behind another: `tradewind bench relay`.

Two processes at the two ends of an emulated network are joined by a link, and both send, like two
regions that are both busy. One-way lag is from `send` at one end to `receive` at the other; the
same over the hedged QUIC link and over TCP, one after the other, each in a new network.
May import: load, network, profiles, report, options, transport's links.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct, structs

from bench import report
from bench.load.helper import Helper, helper
from bench.load.region import Order, Told
from bench.network import Network, Stats
from bench.options import BenchError, HtmlFile, JsonFile, ProfileName, Seed, command_line, faults
from bench.profiles import Profile, profile
from bench.report import Cell, Mark, Plot, Result, Table
from bench.report.record import tails
from bench.report.statistics import mean, quantile
from transport.links import certificates
from transport.links.base import Way

PORT = 7443
WARM = 5.0
"""Seconds at the beginning that do not count: a link comes to know its path once in days."""
GATHER = 3.0
"""Seconds for what is on its way at the end."""
BUDGET = 0.015
"""Seconds over the propagation delay that the 99th percentile may take."""
WAYS: dict[str, tuple[Way, str | None, str]] = {
    "quic": (Way.QUIC, None, "the hedged link over QUIC"),
    "tcp-bbr": (Way.TCP, "bbr", "the same over TCP and TLS 1.3, BBR: this kernel's default"),
    "tcp-cubic": (Way.TCP, "cubic", "the same over TCP and TLS 1.3, CUBIC"),
}
SHARES = (0.5, 0.99, 0.999, 1.0)


class Load(Struct, frozen=True, kw_only=True):
    """What to send, each way."""

    rate: float
    seconds: float
    size: int
    seed: int


class Outcome(Struct, frozen=True, kw_only=True):
    """One way of carrying it. Lags in ms, in rising order; what never came is missing."""

    up: tuple[float, ...]
    down: tuple[float, ...]
    missing: int
    doubled: int
    link: Stats
    dialler: Told
    listener: Told


Outcomes = dict[str, Outcome]


def relay(
    profile_name: ProfileName = "lossy-3",
    rate: Annotated[
        float, typer.Option(min=1, max=5_000, help="Messages a second each way.")
    ] = 200.0,
    seconds: Annotated[float, typer.Option(min=1, help="For so long, for each way.")] = 25.0,
    size: Annotated[int, typer.Option(min=8, max=65_536, help="Bytes of a message.")] = 300,
    ways: Annotated[
        str, typer.Option(help=f"Of these, with commas between: {', '.join(WAYS)}.")
    ] = "quic,tcp-bbr",
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure one-way lag between two regions over the link, and over TCP."""
    with faults():
        chosen = [name.strip() for name in ways.split(",")]
        if unknown := set(chosen) - set(WAYS):
            raise BenchError(f"no way “{unknown.pop()}”: choose from {', '.join(WAYS)}")
        network = profile(profile_name)
        load = Load(rate=rate, seconds=seconds, size=size, seed=seed)
        outcomes = asyncio.run(measure(network, load, chosen))
        report.finish(result(network, load, outcomes), json, html)


async def measure(network: Profile, load: Load, ways: list[str]) -> Outcomes:
    """One way after the other, each in a new network with the same dice."""
    outcomes = {}
    with report.progress() as bar, tempfile.TemporaryDirectory() as folder:
        certify(Path(folder))
        task = bar.add_task("relay", total=len(ways))
        for name in ways:
            bar.update(task, description=name)
            with Network(network.up, network.down, load.seed) as between:
                outcomes[name] = await exchange(between, load, name, Path(folder))
            bar.advance(task)
    return outcomes


def certify(folder: Path) -> None:
    """Certificates for two regions."""
    now = dt.datetime.now(dt.UTC)
    authority = certificates.make_authority("bench", now)
    for region in ("near", "far"):
        fresh = certificates.issue(authority, region, now)
        certificates.write_region(folder / region, fresh)
        certificates.write_trusted(folder / region, [authority.certificate])


async def exchange(between: Network, load: Load, name: str, folder: Path) -> Outcome:
    """Let both ends talk over one link."""
    way, congestion, _ = WAYS[name]
    if congestion is not None:
        between.client.congestion(congestion)
        between.server.congestion(congestion)
    listen = Order(
        folder=str(folder / "near"),
        port=PORT,
        rate=load.rate,
        seconds=WARM + load.seconds,
        size=load.size,
        seed=2 * load.seed,
    )
    dial = structs.replace(
        listen,
        folder=str(folder / "far"),
        host=between.server.address,
        target="near",
        way=way,
        seed=2 * load.seed + 1,
    )
    module = "bench.load.region"
    async with (
        helper(between.server, module, listen) as near,
        helper(between.client, module, dial) as far,
    ):
        before = between.link.stats()
        for end in (near, far):
            end.say(b"go")
        await asyncio.sleep(WARM + load.seconds + GATHER)
        listener, dialler = await _tell(near), await _tell(far)
        return outcome(dialler, listener, between.link.stats() - before)


async def _tell(end: Helper) -> Told:
    return msgspec.json.decode(await end.stop(), type=Told)


def outcome(dialler: Told, listener: Told, link: Stats) -> Outcome:
    """What became of the messages."""
    up, lost_up = lags(dialler, listener)
    down, lost_down = lags(listener, dialler)
    return Outcome(
        up=up,
        down=down,
        missing=lost_up + lost_down,
        doubled=dialler.doubled + listener.doubled,
        link=link,
        dialler=dialler,
        listener=listener,
    )


def lags(source: Told, target: Told) -> tuple[tuple[float, ...], int]:
    """Lags after the warm-up, in ms, in rising order; and how many never came."""
    begin = min(source.sent.values()) + WARM * 1e9
    counted = {number: at for number, at in source.sent.items() if at >= begin}
    came = [(target.received[n] - at) / 1e6 for n, at in counted.items() if n in target.received]
    return tuple(sorted(came)), len(counted) - len(came)


def result(network: Profile, load: Load, outcomes: Outcomes) -> Result:
    """The record of a run."""
    late = max(outcome.link.late_at(0.99) for outcome in outcomes.values()) * 1000
    return Result(
        scenario="relay",
        profile=network.name,
        command=command_line(),
        summary=f"{network.name}: {network.about}. {load.rate:g} messages of {load.size} bytes a "
        f"second both ways, for {load.seconds:g} s.",
        notes=(
            *(f"{name}: {WAYS[name][2]}" for name in outcomes),
            "Lag is from send at one end to receive at the other; “over” is what p99 takes beyond "
            f"the propagation delay alone, and may be {BUDGET * 1000:g} ms.",
            f"The first {WARM:g} s do not count. The emulated link itself was at most {late:.1f} "
            "ms late for 99 % of the packets.",
            "Both ends run ahead of other work on this machine, for it stands for two hosts.",
            "One way after the other, each with a new network and the same seed.",
        ),
        tables=(
            _lag("Dialler to listener, ms", network.up.delay, outcomes, "up"),
            _lag("Listener to dialler, ms", network.down.delay, outcomes, "down"),
            _cost(outcomes, load),
        ),
        plots=(
            _cdf("Dialler to listener", network.up.delay, outcomes, "up"),
            _cdf("Listener to dialler", network.down.delay, outcomes, "down"),
        ),
    )


def _lag(title: str, way: float, outcomes: Outcomes, direction: str) -> Table:
    rows = []
    for name, outcome in outcomes.items():
        found: tuple[float, ...] = getattr(outcome, direction)
        p99 = quantile(found, 0.99)
        row: tuple[Cell, ...] = (
            name,
            len(found),
            mean(found),
            *(quantile(found, share) for share in SHARES),
            None if p99 is None else p99 - way * 1000,
        )
        rows.append(row)
    columns = ("way", "messages", "mean", "p50", "p99", "p99.9", "max", "over")
    return Table(title, columns, tuple(rows))


def _cost(outcomes: Outcomes, load: Load) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, one in outcomes.items():
        up, down = one.link.up, one.link.down
        count = one.dialler.stats.sent + one.listener.stats.sent
        busy = (one.dialler.cpu + one.listener.cpu) / 2 / (WARM + load.seconds + GATHER)
        rows.append(
            (
                name,
                one.missing,
                one.doubled,
                one.dialler.stats.copies,
                (up.bytes + down.bytes) / count,
                (up.packets + down.packets) / count,
                f"{(up.lost + down.lost) / (up.packets + down.packets):.1%}",
                f"{busy:.0%}",
            )
        )
    columns = ("way", "missing", "doubled", "copies", "bytes", "packets", "lost", "core per end")
    note = "Whole IP packets of both directions, acknowledgements and all, by messages sent."
    return Table("What it took", columns, tuple(rows), note)


def _cdf(title: str, way: float, outcomes: Outcomes, direction: str) -> Plot:
    delays = {name: getattr(outcome, direction) for name, outcome in outcomes.items()}
    marks = [
        Mark("propagation delay", way * 1000),
        Mark("and what p99 may take", (way + BUDGET) * 1000),
    ]
    return tails(title, "share that came within", delays, marks)
