"""`tradewind serve` and `tradewind reload`.

May import: workers, app, config, logs; options.
"""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.panel import Panel
from rich.table import Table

from server import app, logs
from server.cli.options import Config, Database, DataDir, err, faults, settings_of, stop
from server.config import Settings, load
from server.workers import lock
from server.workers.channel import Ready
from server.workers.parent import Serving, supervise
from server.workers.post import StartFailed
from transport.serve import Listening


def serve(
    config: Config = None,
    demo: Annotated[
        bool | None, typer.Option("--demo", help="Set up a demo shop and an agent to try it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; all by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port for UDP and TCP [8443].")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve sessions, one per core at most [1].")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of the plain listener on loopback [8080].")
    ] = None,
    http: Annotated[
        bool | None,
        typer.Option("--http/--no-http", help="Listen for plain HTTP on loopback [yes]."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="URL under which clients reach this server.")
    ] = None,
    database: Database = None,
    data_dir: DataDir = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file of the certificate chain.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, console or json [auto].")] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error [info].")
    ] = None,
) -> None:
    """Run the server.

    Needs no configuration: it makes a database, a secret and a certificate in ./var.
    SIGTERM lets clients move away first; Ctrl-C leaves at once. With --workers, SIGHUP (or
    `tradewind reload`) starts new workers and lets clients move over to them.
    """
    flags = {
        "demo": demo,
        "host": host,
        "port": port,
        "workers": workers,
        "http_port": http_port,
        "http": http,
        "public_url": public_url,
        "database": database,
        "data_dir": data_dir,
        "certificate": certificate,
        "key": key,
        "log_format": log_format,
        "log_level": log_level,
    }
    settings = settings_of(config, **flags)
    logs.configure(settings.log_format, settings.log_level)
    try:
        with faults(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if settings.workers == 1:
                runner.run(app.run(settings, _alone))
            else:
                again = partial(load, config, **flags)
                runner.run(supervise(settings, again, partial(announce, settings)))
    except StartFailed as error:
        stop(str(error))
    except OSError as error:
        plain = f" and {settings.http_port} (--http-port, --no-http)" if settings.http else ""
        stop(
            f"cannot listen: {error.strerror or error}. "
            f"The ports are {settings.port} (--port){plain}."
        )


def reload(config: Config = None, data_dir: DataDir = None) -> None:
    """Start new workers of a running server and let clients move over to them.

    For a new certificate chain, new settings or a new version, without anybody noticing. What
    listens where, the folders and the store process stay as they are until a restart.
    """
    settings = settings_of(config, data_dir=data_dir)
    parent = lock.parent(settings.data_dir)
    if parent is None:
        stop(f"no server with workers runs on {settings.data_dir}; see serve --workers", code=1)
    os.kill(parent, signal.SIGHUP)


def _alone(parts: app.Parts, listening: Listening) -> None:
    login, ready = parts.demo, Ready(empty=parts.empty)
    if login is not None:
        ready = Ready(login.email, login.password, parts.empty)
    announce(parts.settings, Serving(listening.port, listening.loopback_port, ready))


def announce(settings: Settings, serving: Serving) -> None:
    """Tell the person at the terminal where to go."""
    secure = settings.public_url or f"https://localhost:{serving.port}"
    local = secure if serving.http_port is None else f"http://localhost:{serving.http_port}"
    rows = Table.grid(padding=(0, 2))
    if serving.store.email is not None:
        rows.add_row("Demo shop", f"{local}/demo/")
    rows.add_row("Agent console", f"{local}/console/")
    if serving.store.email is not None:
        rows.add_row("Sign in with", f"{serving.store.email}  {serving.store.password}")
    rows.add_row("Server", f"{secure} (UDP and TCP)")
    if settings.workers > 1:
        rows.add_row("Workers", str(settings.workers))
    if serving.store.empty:
        rows.add_row("To begin", "tradewind shop add --help, then tradewind agent add --help")
    err.print(Panel(rows, title="Tradewind", expand=False), highlight=False)
