"""What operators do to shops and agents: requests and replies as records, and carrying them out.

The command line hands them to a running server through its control socket, because a store may
serve one process at a time; without a running server it opens the store itself (control.py).

What holds always: passwords are stored as argon2id hashes only, and no reply carries one; what
cannot be done is answered by No with a sentence that says what to do.
May import: domain, service; storage.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from server.domain.capacity import MAX_CAPACITY, with_capacity
from server.domain.refusal import Code, Refusal
from server.service.guard import guarded
from server.service.passwords import Passwords
from storage.base import Agent, Directory, NotUnique, Shop
from transport.uuid7 import uuid7

ROLES = ("agent", "admin")
_SHOP_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class AddShop(Struct, frozen=True, tag=True):
    """Add a shop, or change the one with this id. `new_key`: make it an identity key."""

    id: str
    name: str
    origins: tuple[str, ...]
    new_key: bool = False


class ListShops(Struct, frozen=True, tag=True):
    """All shops."""


class AddAgent(Struct, frozen=True, tag=True):
    email: str
    shop: str
    name: str
    role: str
    password: str


class ListAgents(Struct, frozen=True, tag=True):
    shop: str


class SetPassword(Struct, frozen=True, tag=True):
    email: str
    password: str


class SetCapacity(Struct, frozen=True, tag=True):
    """How many open conversations at once; None for no limit."""

    email: str
    capacity: int | None


Request = AddShop | ListShops | AddAgent | ListAgents | SetPassword | SetCapacity


class Done(Struct, frozen=True, tag=True):
    """The records that were made, changed or asked for."""

    shops: list[Shop] = []
    agents: list[Agent] = []


class No(Struct, frozen=True, tag=True):
    """It was not done. The message says why, and what would help."""

    message: str


Reply = Done | No


async def carry_out(directory: Directory, request: Request) -> Reply:
    """Do what is asked."""
    try:
        with guarded():
            done = await _HANDLERS[type(request)](directory, request)
    except Refusal as refusal:
        return No(refusal.message)
    return replace(done, agents=[replace(agent, password_hash="") for agent in done.agents])


async def _add_shop(directory: Directory, asked: AddShop) -> Done:
    if not _SHOP_ID.fullmatch(asked.id):
        raise Refusal(Code.INVALID, f"“{asked.id}” is no shop id: use a-z, 0-9 and dashes")
    key = None
    if asked.new_key:
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    former = await directory.get_shop(asked.id)
    former = former or Shop(asked.id, asked.name, (), created_at=_now())
    shop = replace(
        former,
        name=asked.name,
        origins=tuple(map(_origin, asked.origins)),
        identity_key=key or former.identity_key,
    )
    await directory.put_shop(shop)
    return Done(shops=[shop])


async def _list_shops(directory: Directory, asked: ListShops) -> Done:
    return Done(shops=await directory.list_shops())


async def _add_agent(directory: Directory, asked: AddAgent) -> Done:
    if asked.role not in ROLES:
        raise Refusal(Code.INVALID, f"“{asked.role}” is no role: use {' or '.join(ROLES)}")
    if "@" not in asked.email:
        raise Refusal(Code.INVALID, f"“{asked.email}” is no e-mail address")
    await _check_shop(directory, asked.shop)
    hashed = await _hash(asked.password)
    agent = Agent(
        uuid7(), asked.shop, asked.email, asked.name, hashed, role=asked.role, created_at=_now()
    )
    try:
        await directory.put_agent(agent)
    except NotUnique:
        says = f"there is an agent {asked.email} already; see `tradewind agent password`"
        raise Refusal(Code.CONFLICT, says) from None
    return Done(agents=[agent])


async def _list_agents(directory: Directory, asked: ListAgents) -> Done:
    await _check_shop(directory, asked.shop)
    return Done(agents=await directory.list_agents(asked.shop))


async def _set_password(directory: Directory, asked: SetPassword) -> Done:
    agent = await _find(directory, asked.email)
    agent = replace(agent, password_hash=await _hash(asked.password))
    await directory.put_agent(agent)
    return Done(agents=[agent])


async def _set_capacity(directory: Directory, asked: SetCapacity) -> Done:
    if asked.capacity is not None and not 0 <= asked.capacity <= MAX_CAPACITY:
        says = f"a capacity lies between 0 and {MAX_CAPACITY}; leave it out for no limit"
        raise Refusal(Code.INVALID, says)
    agent = await _find(directory, asked.email)
    agent = replace(agent, settings=with_capacity(agent.settings, asked.capacity))
    await directory.put_agent(agent)
    return Done(agents=[agent])


async def _find(directory: Directory, email: str) -> Agent:
    agent = await directory.find_agent(email)
    if agent is None:
        says = f"there is no agent {email}; see `tradewind agent list`"
        raise Refusal(Code.NOT_FOUND, says)
    return agent


_HANDLERS: dict[type, Callable[[Directory, Any], Awaitable[Done]]] = {
    AddShop: _add_shop,
    ListShops: _list_shops,
    AddAgent: _add_agent,
    ListAgents: _list_agents,
    SetPassword: _set_password,
    SetCapacity: _set_capacity,
}


async def _check_shop(directory: Directory, id: str) -> None:
    if await directory.get_shop(id) is None:
        raise Refusal(Code.NOT_FOUND, f"there is no shop “{id}”; see `tradewind shop list`")


async def _hash(password: str) -> str:
    passwords = Passwords()
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()


def _origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454 section 6.2)."""
    parts = urlsplit(text.rstrip("/"))
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.path or parts.query:
        raise Refusal(Code.INVALID, f"“{text}” is no origin: write https://shop.example")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _now() -> int:
    return time.time_ns() // 1_000_000
