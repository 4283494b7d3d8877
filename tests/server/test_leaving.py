"""Those who left leave nothing behind: sessions come, say one thing and go, and what the server
holds is counted in objects, not in bytes, for the allocator keeps what it likes.

Listeners, sessions and store are real; `tradewind bench churn` does the same by the thousand.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from server import secret
from server.app import Parts, running, unix_ms
from server.config import Settings
from server.domain.people import Caller, Role
from server.service import conversations
from server.service.tokens import Tokens
from storage.base import Shop, Visitor
from transport.client.dial import dial
from transport.client.trust import Trust
from transport.serve import Listening
from transport.session import Session, TransportKind
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import VERSION, Accepted, Deliver, Frame, Hello, Send, Welcome

KNOWN = 4
"""Conversations that the server of this test may hold in memory."""
CYCLES = 6
PATIENCE = 10.0
OURS = ("server.", "transport.", "storage.", "aioquic.", "_asyncio.", "asyncio.taskgroups.")
"""Not the timers of the loop: asyncio's own, which runs tests, keeps cancelled ones for a while."""
TABLES = ("quic_connections", "quic_requests", "tcp_connections")

TICKETS = "aioquic.tls.SessionTicket"
"""Each session over tradewind/1 leaves one for the next, MAX_TICKETS at most."""


class House(NamedTuple):
    parts: Parts
    listening: Listening
    token: str

    async def cycle(self, kind: TransportKind) -> None:
        """Connect, chat, leave."""
        url = f"https://127.0.0.1:{self.listening.port}/v1/live"
        async with dial(url, kind, trust=Trust(insecure=True)) as session:
            session.send(Hello(VERSION, self.token))
            session.send(Send(uuid7(), uuid7(), "message", pack({"text": "hello"})))
            missing: set[type[Frame]] = {Welcome, Accepted, Deliver}
            while missing:
                missing.discard(type(await _next(session)))

    async def emptied(self) -> None:
        """Wait until everybody has gone: QUIC drains for three probe timeouts."""
        async with asyncio.timeout(PATIENCE):
            while any(self.listening.stats()[name] for name in TABLES):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(2 * conversations.FOLD_DELAY)  # folds are written behind


async def _next(session: Session) -> Frame:
    async with asyncio.timeout(PATIENCE):
        return await session.receive()


async def _shopper(parts: Parts) -> str:
    """The token of a visitor of a shop."""
    await parts.storage.directory.put_shop(Shop("shop", "A Shop", ()))
    visitor = Visitor(uuid7(), "shop", created_at=unix_ms())
    await parts.storage.directory.put_visitor(visitor)
    caller = Caller(Role.VISITOR, visitor.id, "shop")
    return Tokens(secret.load(parts.settings)).sign(caller, unix_ms() // 1000, 3600)


def _objects() -> Counter[str]:
    """What there is of our types and those that we are made of, tasks and futures included."""
    gc.collect()
    kinds = (str(type(thing)) for thing in gc.get_objects())
    names = (kind.removeprefix("<class '").removesuffix("'>") for kind in kinds)
    return Counter(name for name in names if name.startswith(OURS) and name != TICKETS)


@pytest.mark.parametrize(
    "kind", [TransportKind.WEBTRANSPORT, TransportKind.QUIC, TransportKind.WEBSOCKET_H1]
)
async def test_who_left_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: TransportKind
) -> None:
    monkeypatch.setattr(conversations, "MAX_KNOWN", KNOWN)
    settings = Settings(data_dir=tmp_path, port=0, http_port=0)
    async with running(settings) as (parts, listening):
        house = House(parts, listening, await _shopper(parts))
        for _ in range(KNOWN):  # Fills what is kept and bounded.
            await house.cycle(kind)
        await house.emptied()
        before = _objects()
        for _ in range(CYCLES):
            await house.cycle(kind)
        await house.emptied()
        more = _objects() - before
        assert not {name: count for name, count in more.items() if count >= CYCLES}
        assert "server.service.conversations.Known" not in more, f"more than {KNOWN} are kept"
