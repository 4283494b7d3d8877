"""`tradewind bench latency`: how long a message takes, one way, over each peer in turn.

Shoppers are in the far place, agents beside the server. Many thin sessions run at a time, so that
there are many messages while each session has its own link and stays a person's.
May import: network, peers, profiles, report, options.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from bench import report
from bench.network import Network
from bench.options import BenchError, HtmlFile, JsonFile, ProfileName, Seed, command_line, faults
from bench.peers.base import Peer
from bench.peers.exchange import Load, Outcome, exchange
from bench.peers.table import PEERS, peer
from bench.profiles import Profile, profile
from bench.report.record import Cell, Mark, Plot, Result, Series, Table, tails
from bench.report.statistics import mean, quantile

DEFAULT_PEERS = "hedged,stream,tcp-bbr,socketio"
SHARES = (0.5, 0.99, 0.999, 1.0)
COLUMNS = ("peer", "messages", "mean", "p50", "p99", "p99.9", "max", "p99 / way", "missing")

Outcomes = dict[str, Outcome]


def latency(
    profile_name: ProfileName = "lossy-3",
    messages: Annotated[int, typer.Option(min=20, help="Messages per direction and peer.")] = 2000,
    sessions: Annotated[int, typer.Option(min=1, max=20, help="Sessions at a time.")] = 20,
    rate: Annotated[
        float, typer.Option(min=0.1, max=4.5, help="Messages a second per session and direction.")
    ] = 4.0,
    peers: Annotated[
        str, typer.Option(help=f"Of these, with commas between: {', '.join(PEERS)}.")
    ] = DEFAULT_PEERS,
    seed: Seed = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Measure one-way delivery, shopper to agent and back, for this server and its peers."""
    with faults():
        chosen = [peer(name.strip()) for name in peers.split(",")]
        network = profile(profile_name)
        load = Load(sessions=sessions, messages=-(-messages // sessions), rate=rate, seed=seed)
        outcomes = asyncio.run(run(network, load, chosen))
        report.finish(result(network, load, chosen, outcomes), json, html)


async def run(network: Profile, load: Load, peers: list[Peer]) -> Outcomes:
    """One peer after the other, each in a new network with the same dice."""
    outcomes = {}
    with report.progress() as bar:
        tasks = [bar.add_task(each.name, total=2 * load.sent) for each in peers]
        for each, task in zip(peers, tasks, strict=True):
            seen = partial(_update, bar, task)
            with Network(network.up, network.down, load.seed) as between:
                outcomes[each.name] = await exchange(each, between, load, seen)
    return outcomes


def _update(bar: Progress, task: TaskID, completed: int) -> None:
    bar.update(task, completed=completed)


def result(network: Profile, load: Load, peers: list[Peer], outcomes: Outcomes) -> Result:
    """The record of a run."""
    about = {each.name: each.about for each in peers}
    return Result(
        scenario="latency",
        profile=network.name,
        command=command_line(),
        summary=f"{network.name}: {network.about}. {load.sessions} sessions at a time, each "
        f"{load.rate:g} messages of {load.size} bytes a second both ways.",
        notes=_notes(about, outcomes),
        tables=(
            _delivery("Shopper to agent, ms one way", network.up.delay, outcomes, "up"),
            _delivery("Agent to shopper, ms one way", network.down.delay, outcomes, "down"),
            _wire(outcomes),
        ),
        plots=(
            _cdf("Shopper to agent", network.up.delay, outcomes, "up"),
            _cdf("Agent to shopper", network.down.delay, outcomes, "down"),
            _bars("Shopper to agent", outcomes, "up"),
            _bars("Agent to shopper", outcomes, "down"),
        ),
    )


def _notes(about: dict[str, str], outcomes: Outcomes) -> tuple[str, ...]:
    late = max(outcome.link.late_at(0.99) for outcome in outcomes.values()) * 1000
    return (
        *(f"{name}: {what}" for name, what in about.items()),
        f"“way” is the propagation delay alone. The link itself was at most {late:.1f} ms late for "
        "99 % of the packets.",
        "This server commits a message to disk before it delivers it, and tells the sender; the "
        "relays do neither.",
        "Peers run one after the other, each with a new network and the same seed.",
    )


def _delivery(title: str, way: float, outcomes: Outcomes, direction: str) -> Table:
    rows = []
    for name, outcome in outcomes.items():
        delays: tuple[float, ...] = getattr(outcome, direction)
        p99 = quantile(delays, 0.99)
        row: tuple[Cell, ...] = (
            name,
            len(delays),
            mean(delays),
            *(quantile(delays, share) for share in SHARES),
            None if p99 is None or not way else p99 / (way * 1000),
            int(getattr(outcome, f"missing_{direction}")),
        )
        rows.append(row)
    return Table(title, COLUMNS, tuple(rows))


def _wire(outcomes: Outcomes) -> Table:
    columns = (
        "peer",
        "bytes up",
        "bytes down",
        "packets up",
        "packets down",
        "lost up",
        "lost down",
    )
    rows: list[tuple[Cell, ...]] = []
    for name, outcome in outcomes.items():
        up, down, count = outcome.link.up, outcome.link.down, outcome.exchanged
        if not (up.packets and down.packets):
            raise BenchError(f"nothing of {name} crossed the link")
        rows.append(
            (
                name,
                up.bytes / count,
                down.bytes / count,
                up.packets / count,
                down.packets / count,
                f"{up.lost / up.packets:.1%}",
                f"{down.lost / down.packets:.1%}",
            )
        )
    note = (
        "Whole IP packets, acknowledgements and all, by the number of messages of both directions."
    )
    return Table("On the wire, per message", columns, tuple(rows), note)


def _cdf(title: str, way: float, outcomes: Outcomes, direction: str) -> Plot:
    delays = {name: getattr(outcome, direction) for name, outcome in outcomes.items()}
    marks = [Mark("propagation delay", way * 1000)]
    return tails(title, "share delivered within", delays, marks)


def _bars(title: str, outcomes: Outcomes, direction: str) -> Plot:
    def heights(outcome: Outcome) -> tuple[float, ...]:
        return tuple(quantile(getattr(outcome, direction), share) or 0.0 for share in SHARES)

    return Plot(
        title=title,
        kind="bars",
        y="ms, one way",
        scale_y="log",
        labels=("p50", "p99", "p99.9", "max"),
        series=tuple(Series(name, heights(outcome)) for name, outcome in outcomes.items()),
    )
