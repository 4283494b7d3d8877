"""`tradewind serve`.

May import: app, config, logs; options.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.panel import Panel
from rich.table import Table

from server import app, logs
from server.cli.options import Config, Database, DataDir, err, faults, settings_of, stop
from transport.serve import Listening


def serve(
    config: Config = None,
    demo: Annotated[
        bool | None, typer.Option("--demo", help="Set up a demo shop and an agent to try it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; all by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port for UDP and TCP [8443].")] = None,
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
    SIGTERM lets clients move away first; Ctrl-C leaves at once.
    """
    settings = settings_of(
        config,
        demo=demo,
        host=host,
        port=port,
        http_port=http_port,
        http=http,
        public_url=public_url,
        database=database,
        data_dir=data_dir,
        certificate=certificate,
        key=key,
        log_format=log_format,
        log_level=log_level,
    )
    logs.configure(settings.log_format, settings.log_level)
    try:
        with faults(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(app.run(settings, announce))
    except OSError as error:
        plain = f" and {settings.http_port} (--http-port, --no-http)" if settings.http else ""
        stop(
            f"cannot listen: {error.strerror or error}. "
            f"The ports are {settings.port} (--port){plain}."
        )


def announce(parts: app.Parts, listening: Listening) -> None:
    """Tell the person at the terminal where to go."""
    secure = parts.settings.public_url or f"https://localhost:{listening.port}"
    local = (
        secure if listening.loopback_port is None else f"http://localhost:{listening.loopback_port}"
    )
    rows = Table.grid(padding=(0, 2))
    if parts.demo is not None:
        rows.add_row("Demo shop", f"{local}/demo/")
    rows.add_row("Agent console", f"{local}/console/")
    if parts.demo is not None:
        rows.add_row("Sign in with", f"{parts.demo.email}  {parts.demo.password}")
    rows.add_row("Server", f"{secure} (UDP and TCP)")
    if parts.empty:
        rows.add_row("To begin", "tradewind shop add --help, then tradewind agent add --help")
    err.print(Panel(rows, title="Tradewind", expand=False), highlight=False)
