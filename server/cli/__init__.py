"""The command line: `tradewind VERB …`. Each verb is a thin skin over what does the work.

May import: everything.
"""

from __future__ import annotations

import typer

from server.cli.serve import serve

cli = typer.Typer(
    name="tradewind",
    help="Self-hosted, QUIC-first customer chat for shops that sell across borders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command()(serve)


@cli.callback()
def _verbs() -> None:
    pass


def main() -> None:
    """The entry point of the command `tradewind`."""
    cli()
