"""One session to one URL over one transport; `Client` builds on it.

    async with dial("https://chat.example:8443/v1/live", TransportKind.WEBTRANSPORT) as session:
        session.send(Hello(VERSION, token))

What holds always: the caller gets a session whose transport is connected and accepted, or a
DialError; when the block is left the session is closed with NORMAL and its transport is gone.
May import: client, quic, driver, session, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ParamSpec
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from transport.carrier import Carrier
from transport.client.errors import DialError, DialRefused
from transport.client.native import connect_native
from transport.client.quic import connect_quic
from transport.client.tickets import TicketCache
from transport.client.trust import Trust
from transport.client.websocket import connect_websocket
from transport.driver import Driver
from transport.errors import CloseCode
from transport.quic.aio.configuration import NATIVE_PATH
from transport.quic.roaming import Roaming
from transport.session import SessionInfo, TransportKind
from transport.wire.machine import Role

DIAL_TIMEOUT = 10.0
"""Seconds for everything up to the accepted session."""

KINDS = (
    TransportKind.QUIC,
    TransportKind.WEBTRANSPORT,
    TransportKind.WEBSOCKET_H3,
    TransportKind.WEBSOCKET_H1,
)
"""What this client speaks, best first."""

Options = ParamSpec("Options")

_PLAIN = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


async def connect(
    url: str,
    kind: TransportKind,
    *,
    trust: Trust | None = None,
    origin: str | None = None,
    timeout: float = DIAL_TIMEOUT,
    datagrams: bool = True,
    roaming: Roaming | None = None,
    tickets: TicketCache | None = None,
    early: bool = False,
    eager: bool = False,
) -> Driver:
    """A connected session that does not run yet: await its `run` somewhere, or `abort` it.

    When `early` is asked for and `tickets` has one of the server, a session over QUIC is returned
    before the server was asked: see `client.native`. One that is asked for with `eager` may still
    be refused, which its carrier tells: see `client.udp.Unanswered`.
    """
    trust = trust or Trust()
    parts = urlsplit(url)
    if parts.scheme not in _PLAIN or not parts.hostname:
        raise DialError(f"{url} is no URL to connect to: write https://host:port/v1/live")
    carrier: Carrier
    if kind is TransportKind.QUIC:
        _check_native(parts.path, origin)
        peer = server_of(url)
        carrier = await connect_native(
            *peer,
            trust,
            timeout=timeout,
            datagrams=datagrams,
            roaming=roaming,
            tickets=tickets,
            early=early,
        )
    else:
        carrier, peer = await _carrier(url, kind, trust, origin, timeout, datagrams, roaming, eager)
    info = SessionInfo(
        id=uuid4(),
        transport=kind,
        peer=peer,
        origin=origin,
        path=parts.path,
        secure=_PLAIN[parts.scheme] == "wss",
    )
    return Driver(carrier, info, Role.CLIENT)


def _running(
    connect: Callable[Options, Awaitable[Driver]],
) -> Callable[Options, AbstractAsyncContextManager[Driver]]:
    """The same options, for a session that runs until the block is left."""

    @asynccontextmanager
    async def dial(*args: Options.args, **options: Options.kwargs) -> AsyncIterator[Driver]:
        session = await connect(*args, **options)
        # Not a TaskGroup: what the block raises should come out as it is, not in a group.
        running = asyncio.ensure_future(session.run())
        try:
            yield session
        finally:
            session.close(CloseCode.NORMAL)
            await running

    return dial


dial = _running(connect)
"""`connect`, and a running session until the block is left."""


async def _carrier(
    url: str,
    kind: TransportKind,
    trust: Trust,
    origin: str | None,
    timeout: float,
    datagrams: bool,
    roaming: Roaming | None,
    eager: bool,
) -> tuple[Carrier, tuple[str, int]]:
    parts = urlsplit(url)
    if kind in (TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H3):
        return await connect_quic(
            parts,
            kind,
            trust,
            origin=origin,
            timeout=timeout,
            datagrams=datagrams,
            roaming=roaming,
            eager=eager,
        )
    if kind is TransportKind.WEBSOCKET_H1:
        url = urlunsplit(parts._replace(scheme=_PLAIN[parts.scheme]))
        return await connect_websocket(url, trust, origin=origin, timeout=timeout)
    raise DialError(f"this client does not speak {kind}; it speaks {', '.join(KINDS)}")


def _check_native(path: str, origin: str | None) -> None:
    """There is no request in which to say these, so none may differ from what the server takes."""
    if path != NATIVE_PATH:
        raise DialRefused(404)
    if origin is not None:
        raise DialError("only browsers have an origin, and they do not speak tradewind/1")


def server_of(url: str) -> tuple[str, int]:
    """The host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443
