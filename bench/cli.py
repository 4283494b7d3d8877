"""The command line `tradewind bench …`: one command per scenario.

It is mounted on `tradewind` by an entry point (group `tradewind.commands` in pyproject.toml), so
that the server knows nothing of the bench: bench and server stay beside each other.

A scenario is a function of typer options in a module of bench/scenarios, registered here. These
modules are loaded with every `tradewind` command, so what is slow to load they import inside.
May import: everything in bench.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import report
from bench.options import HtmlFile, faults
from bench.profiles import PROFILES
from bench.report.record import Result, Table
from bench.scenarios.burst import burst
from bench.scenarios.capacity import capacity
from bench.scenarios.churn import churn
from bench.scenarios.connect import connect
from bench.scenarios.crash import crash
from bench.scenarios.flood import flood
from bench.scenarios.latency import latency
from bench.scenarios.link import link
from bench.scenarios.persist import persist
from bench.scenarios.relay import relay
from bench.scenarios.resume import resume
from bench.scenarios.roam import roam
from bench.scenarios.roll import roll
from bench.scenarios.search import search
from bench.scenarios.stall import stall

cli = typer.Typer(
    name="bench",
    help="Measure this server and its peers over an emulated network. Needs root.",
    no_args_is_help=True,
)

cli.command("link")(link)
cli.command("latency")(latency)
cli.command("connect")(connect)
cli.command("relay")(relay)
cli.command("resume")(resume)
cli.command("roam")(roam)
cli.command("roll")(roll)
cli.command("capacity")(capacity)
cli.command("burst")(burst)
cli.command("churn")(churn)
cli.command("flood")(flood)
cli.command("stall")(stall)
cli.command("persist")(persist)
cli.command("crash")(crash)
cli.command("search")(search)


@cli.command("profiles")
def profiles() -> None:
    """List the networks by name, and whose figures they rest on."""
    rows = tuple((p.name, p.about, p.basis) for p in PROFILES.values())
    table = Table("Profiles", ("name", "one way unless said otherwise", "basis"), rows)
    report.show(Result(scenario="profiles", command="tradewind bench profiles", tables=(table,)))


@cli.command("report")
def redraw(
    file: Annotated[Path, typer.Argument(help="What a scenario wrote with --json.")],
    html: HtmlFile = None,
) -> None:
    """Show a result that was kept, and draw its page again."""
    with faults():
        report.finish(report.read(file), html=html)
