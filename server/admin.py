"""What operators do to shops and agents from the command line, beside a server or without one.

What holds always: each function opens the store, does one thing and closes it; passwords are
stored as argon2id hashes only.
May import: config, domain, service; storage.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from msgspec.structs import replace

from server.config import Settings
from server.domain.refusal import Code, Refusal
from server.service.passwords import Passwords
from storage.base import Agent, Directory, NotUnique, Shop
from storage.open import open_storage
from transport.uuid7 import uuid7

ROLES = ("agent", "admin")
_SHOP_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def add_shop(
    settings: Settings, id: str, name: str, origins: tuple[str, ...], identity_key: bool
) -> Shop:
    """Add a shop, or change the one with this id. Raises Refusal."""
    if not _SHOP_ID.fullmatch(id):
        raise Refusal(Code.INVALID, f"“{id}” is no shop id: use a-z, 0-9 and dashes")
    key = None
    if identity_key:
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    async with _directory(settings) as directory:
        former = await directory.get_shop(id) or Shop(id, name, (), created_at=_now())
        shop = replace(
            former,
            name=name,
            origins=tuple(map(_origin, origins)),
            identity_key=key or former.identity_key,
        )
        await directory.put_shop(shop)
        return shop


async def list_shops(settings: Settings) -> list[Shop]:
    """All shops."""
    async with _directory(settings) as directory:
        return await directory.list_shops()


async def add_agent(
    settings: Settings, email: str, shop: str, name: str, role: str, password: str
) -> Agent:
    """Add an agent. Raises Refusal."""
    if role not in ROLES:
        raise Refusal(Code.INVALID, f"“{role}” is no role: use {' or '.join(ROLES)}")
    if "@" not in email:
        raise Refusal(Code.INVALID, f"“{email}” is no e-mail address")
    async with _directory(settings) as directory:
        await _shop(directory, shop)
        hashed = await _hash(password)
        agent = Agent(uuid7(), shop, email, name, hashed, role=role, created_at=_now())
        try:
            await directory.put_agent(agent)
        except NotUnique:
            raise Refusal(
                Code.CONFLICT, f"there is an agent {email} already; see `tradewind agent password`"
            ) from None
        return agent


async def list_agents(settings: Settings, shop: str) -> list[Agent]:
    """The agents of a shop. Raises Refusal."""
    async with _directory(settings) as directory:
        await _shop(directory, shop)
        return await directory.list_agents(shop)


async def set_password(settings: Settings, email: str, password: str) -> Agent:
    """Give an agent a new password. Raises Refusal."""
    async with _directory(settings) as directory:
        agent = await directory.find_agent(email)
        if agent is None:
            raise Refusal(Code.NOT_FOUND, f"there is no agent {email}; see `tradewind agent list`")
        agent = replace(agent, password_hash=await _hash(password))
        await directory.put_agent(agent)
        return agent


@asynccontextmanager
async def _directory(settings: Settings) -> AsyncIterator[Directory]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = open_storage(settings.database_url)
    try:
        yield storage.directory
    finally:
        await storage.close()


async def _shop(directory: Directory, id: str) -> None:
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
