"""`tradewind doctor`, `smoke`, `migrate`, `reindex` and `settings`.

May import: doctor, smoke, reindex, logs; options; storage.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import progress
from rich.table import Table

from server import doctor, logs, smoke
from server.cli.options import Config, Database, DataDir, faults, out, settings_of, stop
from server.reindex import Told
from server.reindex import reindex as rebuild
from storage import open as storage_open
from storage.doctor import Level
from storage.redis import without_secrets
from storage.url import shown as without_password

SECRET = frozenset({"secret", "metrics_token"})
"""Settings that are not shown."""
URLS = {"redis": without_secrets, "database": without_password}
"""Settings that are shown without the password in them."""
_BAR = (
    progress.TextColumn("{task.description}"),
    progress.BarColumn(),
    progress.MofNCompleteColumn(),
    progress.TimeRemainingColumn(),
)
_COLORS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def migrate(config: Config = None, database: Database = None, data_dir: DataDir = None) -> None:
    """Bring the database to the newest schema. Stop the server first."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    with faults():
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = storage_open.migrate(settings.database_url)
    out.print(
        f"{without_password(settings.database_url)} is up to date (it was {before or 'empty'})."
    )


def reindex(
    everything: Annotated[
        bool, typer.Option("--all", help="Everything anew, not only what is older than the index.")
    ] = False,
    config: Config = None,
    database: Database = None,
    data_dir: DataDir = None,
) -> None:
    """Let search find what was said before there was an index. With SQLite, stop the server first.

    May be stopped at any time; the next run goes on where it was.
    """
    settings = settings_of(config, database=database, data_dir=data_dir)
    with faults(), progress.Progress(*_BAR, console=out) as shown:
        task = shown.add_task("Indexing conversations", total=None)
        told = partial(_advance, shown, task)
        done = asyncio.run(_reindex(settings.database_url, told, everything=everything))
    where = without_password(settings.database_url)
    out.print(f"Search finds all of {where}: {done} conversations were indexed.")


async def _reindex(url: str, told: Told, *, everything: bool) -> int:
    storage = storage_open.open_storage(url)
    try:
        if storage.search is None:
            stop(f"{url} has no index to search in")
        return await rebuild(
            storage.log, storage.directory, storage.search, told, everything=everything
        )
    finally:
        await storage.close()


def _advance(shown: progress.Progress, task: progress.TaskID, done: int, count: int) -> None:
    shown.update(task, completed=done, total=count)


def examine(config: Config = None, database: Database = None, data_dir: DataDir = None) -> None:
    """Say what is wrong on this machine and how to mend it. Changes nothing.

    Ends with exit code 1 when something must be mended.
    """
    settings = settings_of(config, database=database, data_dir=data_dir)
    findings = doctor.examine(settings)
    table = Table("what", "", "found", "how to mend it")
    for found in findings:
        color = _COLORS[found.level]
        table.add_row(found.check, f"[{color}]{found.level}[/]", found.says, found.mend)
    out.print(table)
    if any(found.level is Level.FAIL for found in findings):
        raise typer.Exit(1)


def try_out(
    url: Annotated[str, typer.Option(help="The server, for example https://localhost:8443.")],
    shop: Annotated[str, typer.Option(help="A shop of that server.")] = "demo",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Believe any certificate. For one's own machine.")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of authorities to believe, not the system's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Send, receive and resume over every transport, like any client, and time it.

    Ends with exit code 1 when any transport fails.
    """
    logs.configure("auto", "error")
    try:
        rows = asyncio.run(smoke.run(smoke.Target(url, shop, insecure=insecure, ca=ca)))
    except smoke.Unreachable as error:
        stop(str(error), code=1)
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
    else:
        _show(rows)
    if any(row.error is not None for row in rows):
        raise typer.Exit(1)


def show_settings(config: Config = None) -> None:
    """List every setting: its environment variable, what it is now, and what it means.

    In a TOML file (--config, or TRADEWIND_CONFIG) the names are the same, small and without
    TRADEWIND_. Flags are stronger than the file, the file is stronger than the environment.
    """
    settings = settings_of(config)
    table = Table("environment variable", "now", "meaning")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name in SECRET and value is not None:
            value = "(set)"
        elif name in URLS and value is not None:
            value = URLS[name](value)
        table.add_row(f"TRADEWIND_{name.upper()}", str(value), field.description)
    out.print(table)


def _show(rows: list[smoke.Row]) -> None:
    table = Table(caption="milliseconds; accepted and delivered count from the send")
    table.add_column("transport", no_wrap=True)
    table.add_column("")
    for name in ("connect", "accepted", "delivered", "resumed"):
        table.add_column(name, justify="right")
    if any(row.error for row in rows):
        table.add_column("what went wrong")
    for row in rows:
        times = (row.connect, row.accepted, row.delivered, row.resumed)
        mark = "[green]ok[/]" if row.error is None else "[red]fail[/]"
        shown = ["–" if ms is None else f"{ms:.1f}" for ms in times]
        table.add_row(row.transport, mark, *shown, *([row.error] if row.error else []))
    out.print(table)
