"""The command line: `tradewind VERB …`. Each verb is a thin skin over what does the work.

Other packages add verbs by an entry point in the group `tradewind.commands`: so `bench` is a verb
here, and yet the server knows nothing of it.
May import: everything.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

from server.cli import checks, people
from server.cli.serve import reload, serve

cli = typer.Typer(
    name="tradewind",
    help="Self-hosted, QUIC-first customer chat for shops that sell across borders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command()(serve)
cli.command()(reload)
cli.command("doctor")(checks.examine)
cli.command("smoke")(checks.try_out)
cli.command()(checks.migrate)
cli.command()(checks.reindex)
cli.command("settings")(checks.show_settings)
cli.add_typer(people.shops, name="shop")
cli.add_typer(people.agents, name="agent")
for verb in entry_points(group="tradewind.commands"):
    cli.add_typer(verb.load(), name=verb.name)


def main() -> None:
    """The entry point of the command `tradewind`."""
    cli()
