"""What the verbs share: options, consoles, and how they end.

What holds always: a mistake of the person ends with a sentence that says what to do and exit code
2; what was found wrong ends with exit code 1; nobody is shown a traceback for either.
May import: config; storage, transport.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from server.config import ConfigError, Settings, load
from storage.base import StorageError
from transport.tls import CertificateError

out = Console()
err = Console(stderr=True)

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="TRADEWIND_CONFIG", help="TOML file with settings."),
]
Database = Annotated[
    str | None,
    typer.Option(help="Where messages are kept, for example sqlite:////var/lib/tradewind/x.db."),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder for the database, the secret and certificates [var].")
]


def settings_of(config: Path | None, **flags: object) -> Settings:
    """The settings, or the end."""
    try:
        return load(config, **flags)
    except ConfigError as error:
        stop(str(error))


def stop(reason: str, code: int = 2) -> NoReturn:
    """End with a sentence."""
    err.print(f"[bold red]tradewind:[/] {reason}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def faults() -> Iterator[None]:
    """End with a sentence on what people can mend."""
    try:
        yield
    except (ConfigError, StorageError, CertificateError) as error:
        stop(str(error))
