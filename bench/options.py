"""What the commands of the bench share: options, and how they end.

What holds always: a mistake of the person, or a machine that cannot do it, ends with a sentence
that says what to do and exit code 2, without a traceback.
May import: network's errors, profiles, report.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from bench.network import LinkLost, NetworkUnavailable
from bench.peers.base import PeerError
from bench.profiles import UnknownProfile
from bench.report.plots import PlotsUnavailable

ProfileName = Annotated[
    str, typer.Option("--profile", help="The network, see `tradewind bench profiles`.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result to this file as JSON.")
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="Write a page with plots to this file.")
]
Generators = Annotated[int, typer.Option(help="Processes that make the load.")]
Workers = Annotated[int, typer.Option(help="Processes of the server.")]
Seed = Annotated[int, typer.Option(help="Of the dice that the link throws.")]


class BenchError(Exception):
    """The bench cannot go on. The message says why, and what to do about it if anything can be."""


_MENDABLE = (
    BenchError,
    NetworkUnavailable,
    LinkLost,
    PeerError,
    UnknownProfile,
    PlotsUnavailable,
    OSError,
)


def stop(reason: str, code: int = 2) -> NoReturn:
    """End with a sentence."""
    Console(stderr=True).print(
        f"[bold red]tradewind bench:[/] {reason}", highlight=False, soft_wrap=True
    )
    raise typer.Exit(code)


@contextmanager
def faults() -> Iterator[None]:
    """End with a sentence on what people can mend. Put it around everything a command does."""
    try:
        yield
    except _MENDABLE as error:
        stop(str(error))


def command_line() -> str:
    """What was typed, for the report."""
    return shlex.join(["tradewind", *sys.argv[1:]])
