"""The demo: a shop with an agent, so that a newcomer can try both sides at once.

What holds always: seeding again changes nothing that is there but makes the login work; the
password follows from the secret, because the demo listens like any server does.
May import: config, secret, domain, service; storage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from server import secret
from server.config import Settings
from server.domain.people import Role, who
from server.service.passwords import Passwords
from storage.base import Agent, Directory, Shop
from transport.uuid7 import uuid7

SHOP = "demo"
EMAIL = "demo@tradewind.example"
LOOK = {"color": "#1f4d3d"}
"""The pine of the demo shop's pages. No greeting: the widget's own speaks every language."""


class Login(Struct, frozen=True):
    """What the demo prints, and gives its own pages."""

    email: str
    password: str
    shop: str
    agent: str


async def seed(directory: Directory, passwords: Passwords, settings: Settings, now: int) -> Login:
    """Make shop and agent if they are not there."""
    password = _password(settings)
    origins = tuple(_origins(settings))
    shop = await directory.get_shop(SHOP)
    if shop is None:
        look = msgspec.json.encode(LOOK).decode()
        shop = Shop(SHOP, "Harbour & Pine", origins, settings=look, created_at=now)
    await directory.put_shop(replace(shop, origins=tuple(dict.fromkeys((*shop.origins, *origins)))))
    agent = await directory.find_agent(EMAIL)
    if agent is None:
        hashed = await passwords.hash(password)
        agent = Agent(uuid7(), SHOP, EMAIL, "Dana Demo", hashed, role="admin", created_at=now)
        await directory.put_agent(agent)
    elif not await passwords.check(agent.password_hash, password):
        await directory.put_agent(
            replace(agent, password_hash=await passwords.hash(password), active=True)
        )
    return Login(EMAIL, password, SHOP, who(Role.AGENT, agent.id))


def _password(settings: Settings) -> str:
    """Follows from the secret, so that all hosts of a site have the same."""
    code = hmac.new(secret.load(settings), b"demo password", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(code)[:12].decode()


def _origins(settings: Settings) -> list[str]:
    """Where the demo's own pages come from."""
    plain = [f"http://localhost:{settings.http_port}", f"http://127.0.0.1:{settings.http_port}"]
    return [f"https://localhost:{settings.port}", *(plain if settings.http else [])]
