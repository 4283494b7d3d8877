"""`tradewind shop …` and `tradewind agent …`.

May import: admin, config, control; domain; options.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from server import admin, control
from server.cli.options import Config, Database, DataDir, faults, out, settings_of, stop
from server.config import Settings
from server.domain.capacity import capacity

shops = typer.Typer(help="Add and list shops.", no_args_is_help=True)
agents = typer.Typer(
    help="Add and list agents, set their passwords and capacities.", no_args_is_help=True
)

Password = Annotated[
    str,
    typer.Option(
        prompt=True,
        hide_input=True,
        confirmation_prompt=True,
        envvar="TRADEWIND_AGENT_PASSWORD",
        help="Asked for when left out, which keeps it out of the shell's history.",
    ),
]
ShopId = Annotated[str, typer.Option("--shop", prompt="Shop", help="The shop's id.")]


@shops.command("add")
def shop_add(
    id: Annotated[str, typer.Argument(help="Short id: a-z, 0-9 and dashes.")],
    name: Annotated[str, typer.Option(prompt="Name that shoppers see", help="Its name.")],
    origin: Annotated[
        list[str], typer.Option(help="Where its pages come from: https://shop.example. Repeat it.")
    ],
    identity_key: Annotated[
        bool,
        typer.Option("--identity-key", help="Make a new key with which it signs its visitors."),
    ] = False,
    config: Config = None,
    database: Database = None,
    data_dir: DataDir = None,
) -> None:
    """Add a shop, or change the one with this id."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    [shop] = _do(settings, admin.AddShop(id, name, tuple(origin), identity_key)).shops
    out.print(f"Shop [bold]{shop.id}[/] is there. A running server knows it within 5 seconds.")
    if identity_key:
        out.print(f"Identity key (base64url, HS256; keep it secret): {shop.identity_key}")
    base = settings.public_url or "https://YOUR-SERVER:8443"
    out.print("Embed the widget in its pages:")
    tag = f'<script async src="{base}/widget.js" data-shop="{shop.id}"></script>'
    out.print("  " + tag, markup=False, highlight=False, soft_wrap=True)


@shops.command("list")
def shop_list(config: Config = None, database: Database = None, data_dir: DataDir = None) -> None:
    """List the shops."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    found = _do(settings, admin.ListShops()).shops
    table = Table("id", "name", "origins", "identity key")
    for shop in found:
        has_key = "no" if shop.identity_key is None else "yes"
        table.add_row(shop.id, shop.name, "\n".join(shop.origins), has_key)
    out.print(table)


@agents.command("add")
def agent_add(
    email: Annotated[str, typer.Argument(help="E-mail address, to sign in with.")],
    shop: ShopId,
    name: Annotated[str, typer.Option(prompt="Name that shoppers see", help="The agent's name.")],
    password: Password,
    role: Annotated[str, typer.Option(help="agent or admin.")] = "agent",
    config: Config = None,
    database: Database = None,
    data_dir: DataDir = None,
) -> None:
    """Add an agent to a shop."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    [agent] = _do(settings, admin.AddAgent(email, shop, name, role, password)).agents
    out.print(f"{agent.name} may sign in as {agent.email}.")


@agents.command("list")
def agent_list(
    shop: ShopId, config: Config = None, database: Database = None, data_dir: DataDir = None
) -> None:
    """List the agents of a shop."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    found = _do(settings, admin.ListAgents(shop)).agents
    table = Table("e-mail", "name", "role", "active", "capacity")
    for agent in found:
        limit = capacity(agent.settings)
        table.add_row(
            agent.email,
            agent.name,
            agent.role,
            "yes" if agent.active else "no",
            "no limit" if limit is None else str(limit),
        )
    out.print(table)


@agents.command("password")
def agent_password(
    email: Annotated[str, typer.Argument(help="The agent's e-mail address.")],
    password: Password,
    config: Config = None,
    database: Database = None,
    data_dir: DataDir = None,
) -> None:
    """Set an agent's password; the tokens they have end with it."""
    settings = settings_of(config, database=database, data_dir=data_dir)
    [agent] = _do(settings, admin.SetPassword(email, password)).agents
    out.print(f"{agent.email} has a new password.")


@agents.command("capacity")
def agent_capacity(
    email: Annotated[str, typer.Argument(help="The agent's e-mail address.")],
    most: Annotated[
        int | None, typer.Argument(help="How many; left out: no limit.", show_default=False)
    ] = None,
    config: Config = None,
    database: Database = None,
    data_dir: DataDir = None,
) -> None:
    """Set how many open conversations an agent may have at once.

    Who has more already keeps them, and gets no others until they have fewer.
    """
    settings = settings_of(config, database=database, data_dir=data_dir)
    [agent] = _do(settings, admin.SetCapacity(email, most)).agents
    limit = "any number of" if most is None else f"at most {most}"
    out.print(f"{agent.email} may have {limit} open conversations at once.", soft_wrap=True)


def _do(settings: Settings, request: admin.Request) -> admin.Done:
    """Have it done by the running server, or here; or end with a sentence."""
    with faults():
        reply = asyncio.run(control.ask(settings, request))
    if isinstance(reply, admin.No):
        stop(reply.message)
    return reply
