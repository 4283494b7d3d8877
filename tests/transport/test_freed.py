"""A session that ends is freed at once, and not when the garbage collector stops everybody.

With 50,000 sessions a full collection takes seconds, so the server does not lean on it: what serves
a session may not refer to itself once it has ended.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.session_suite import Pair, go_live
from tests.transport.support.stack import Stack, running
from transport.client import dial
from transport.driver import Driver
from transport.errors import CloseCode
from transport.quic.aio.connection import Connection
from transport.session import TransportKind
from transport.tcp.link import Link
from transport.tcp.websocket import LinkCarrier
from transport.wire.machine import Role

ROUNDS = 3
PATIENCE = 10.0
"""Seconds for the last packets of a connection: it drains for three probe timeouts."""

TABLES = ("quic_connections", "quic_requests", "tcp_connections")


def of_server(things: Iterable[object]) -> Counter[str]:
    """Those that serve a session, by type."""
    return Counter(type(thing).__name__ for thing in things if _serves(thing))


def _serves(thing: Any) -> bool:
    # By its type: a weak proxy without its object cannot be asked for anything.
    kind = type(thing)
    if issubclass(kind, Connection):
        return not thing.configuration.is_client
    if issubclass(kind, Driver):
        return thing._machine.role is Role.SERVER
    return issubclass(kind, (Link, LinkCarrier))


def rubbish() -> Counter[str]:
    """What of the server's side was left to the collector."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = of_server(gc.garbage)
    gc.garbage.clear()
    return found


async def come_and_go(stack: Stack, kind: TransportKind) -> None:
    """A session that the server served to its end."""
    async with dial(stack.url, kind, trust=stack.trust) as client:
        server = await stack.sessions.get()
        assert isinstance(server, Driver)
        await go_live(Pair(client, server))
        client.close(CloseCode.NORMAL, "")
        await server.wait_closed()


async def nothing_left(stack: Stack) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(stack.listening.stats()[name] for name in TABLES):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "kind", [TransportKind.QUIC, TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H1]
)
async def test_it_is_freed_without_a_collection(tmp_path: Path, kind: TransportKind) -> None:
    async with running(tmp_path) as stack:
        await come_and_go(stack, kind)
        await nothing_left(stack)
        gc.collect()
        gc.disable()
        try:
            before = of_server(gc.get_objects())
            for _ in range(ROUNDS):
                await come_and_go(stack, kind)
            await nothing_left(stack)
            assert of_server(gc.get_objects()) == before
            assert not rubbish()
        finally:
            gc.enable()
