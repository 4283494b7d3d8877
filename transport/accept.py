"""From a request to a running session: the one door through which live clients come in.

What holds always: a wrong path is answered 404 and a foreign Origin 403, before anything of
Tradewind's protocol is spoken; once accepted, `serve` gets exactly one session, and when `accept`
returns the transport below is gone and `serve` is done. A `serve` that raises closes the session
with INTERNAL and is logged; one that returns without closing closes it with GOING_AWAY.

A WebSocket over HTTP/1.1 asks `admit` and goes on without ASGI (transport/tcp/server.py).

May import: driver, websocket, webtransport, asgi, session, errors.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from uuid import uuid4

from msgspec import Struct

from transport.asgi import Receive, Scope, Send
from transport.driver import Driver
from transport.session import Session, SessionInfo, TransportKind
from transport.websocket import WebSocketCarrier, refuse_websocket
from transport.webtransport import WebTransportCarrier, refuse_webtransport
from transport.wire.machine import Role

LIVE_PATH = "/v1/live"
"""Where sessions are, on every transport."""

NATIVE = "tradewind/1"
"""The `http_version` of a session without HTTP (transport/quic/native.py)."""

_WEBSOCKETS = {
    "1.1": TransportKind.WEBSOCKET_H1,
    "2": TransportKind.WEBSOCKET_H2,
    "3": TransportKind.WEBSOCKET_H3,
}

Serve = Callable[[Session], Awaitable[None]]


class Terms(Struct, frozen=True):
    """On what a request may become a session, and who serves that.

    `allow_origin` is asked with the Origin header, None for a client that sent none.
    """

    allow_origin: Callable[[str | None], bool]
    serve: Serve


class Refused(Struct, frozen=True):
    """The request gets this answer instead."""

    status: int
    text: str


Gate = Callable[[Scope], Awaitable[Terms]]
"""What the application says to a scope "websocket" or "webtransport" at the right path."""


async def accept(scope: Scope, receive: Receive, send: Send, gate: Gate) -> None:
    """Serve one scope "websocket" or "webtransport", from its connect event to its end."""
    accepted = await _accepted(scope, receive, send, gate)
    del scope, gate  # This frame lives as long as the session, which needs its request no more.
    if accepted is not None:
        driver, serve = accepted
        await driver.run(serve)


async def _accepted(
    scope: Scope, receive: Receive, send: Send, gate: Gate
) -> tuple[Driver, Serve] | None:
    """Answer the request; the session and who serves it when the answer is yes."""
    await receive()  # "connect": ASGI says that it comes first.
    answer = await admit(scope, gate)
    websocket = scope["type"] == "websocket"
    if isinstance(answer, Refused):
        refuse = refuse_websocket if websocket else refuse_webtransport
        await refuse(send, answer.status, answer.text)
        return None
    info, serve = answer
    await send({"type": f"{scope['type']}.accept", "headers": []})
    carrier = (WebSocketCarrier if websocket else WebTransportCarrier)(scope, receive, send)
    return Driver(carrier, info, Role.SERVER), serve


async def admit(scope: Scope, gate: Gate) -> tuple[SessionInfo, Serve] | Refused:
    """Whether this request may become a session."""
    info = _info(scope)
    if info.path != LIVE_PATH:
        return Refused(404, f"There is nothing here; sessions are at {LIVE_PATH}.")
    terms = await gate(scope)
    if not terms.allow_origin(info.origin):
        text = f"The origin {info.origin} may not connect; add it to the shop's origins."
        return Refused(403, text)
    return info, terms.serve


def _info(scope: Scope) -> SessionInfo:
    origin = next((value for name, value in scope["headers"] if name.lower() == b"origin"), None)
    client = scope.get("client")
    return SessionInfo(
        id=uuid4(),
        transport=_kind(scope),
        peer=(str(client[0]), int(client[1])) if client else ("", 0),
        # One string for all who come from the same pages.
        origin=None if origin is None else sys.intern(origin.decode("latin-1")),
        path=LIVE_PATH if scope["path"] == LIVE_PATH else scope["path"],
        secure=scope.get("scheme") in ("https", "wss"),
    )


def _kind(scope: Scope) -> TransportKind:
    if scope["type"] == "webtransport":
        native = scope["http_version"] == NATIVE
        return TransportKind.QUIC if native else TransportKind.WEBTRANSPORT
    return _WEBSOCKETS[scope["http_version"]]
