"""The door: every scope of the ASGI server comes in here and is sent to whom it is for.

    webtransport, websocket ─▶ gateway        http ─▶ Quart        lifespan ─▶ nobody needs it

What holds always: over plain HTTP only loopback gets further than a redirect to https; live
sessions never pass through Quart.
May import: api, live, service.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from quart import Quart

from server.api.addresses import Addresses, Host, host_of, is_plain, peer_is_loopback
from server.domain.refusal import Refusal
from server.live.gateway import Gateway
from server.service.shops import Shops
from transport.accept import Terms, accept
from transport.asgi import Receive, Scope, Send


class Door:
    """The ASGI application."""

    def __init__(self, pages: Quart, gateway: Gateway, addresses: Addresses, shops: Shops) -> None:
        self._pages = pages
        self._gateway = gateway
        self._addresses = addresses
        self._shops = shops

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # No coroutine of its own: a session would keep it, and the scope with it, to its end.
        if scope["type"] == "lifespan":
            return _lifespan(receive, send)
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        return accept(scope, receive, send, self.gate)

    async def gate(self, scope: Scope) -> Terms:
        """Where a session may come from that asks to be let in."""
        host = host_of(scope)
        home: frozenset[str] = frozenset()
        known: frozenset[str] = frozenset()
        if host is not None and self._welcome(scope, host):
            home = self._addresses.home(scope["scheme"], host)
            known = home | await self._origins()
            allow = lambda origin: origin is None or origin in known  # noqa: E731
        else:
            allow = lambda origin: False  # noqa: E731
        return Terms(allow, partial(self._gateway.serve, home=home))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = host_of(scope)
        if host is None:
            await _answer(send, 400, {})
        elif self._welcome(scope, host):
            await self._pages(scope, receive, send)  # type: ignore[arg-type]
        else:
            await _answer(send, 308, {b"location": self._secure(scope, host).encode()})

    def _welcome(self, scope: Scope, host: Host) -> bool:
        """Plain HTTP is for loopback, by name and by peer (a rebound name is another name)."""
        return not is_plain(scope["scheme"]) or (host.is_loopback and peer_is_loopback(scope))

    def _secure(self, scope: Scope, host: Host) -> str:
        query = scope.get("query_string", b"").decode("latin-1")
        path = scope.get("raw_path", b"/").decode("latin-1").partition("?")[0]
        path = "/" + path.lstrip("/")
        base = self._addresses.secure_base(scope["scheme"], host)
        return f"{base}{path}{'?' if query else ''}{query}"

    async def _origins(self) -> frozenset[str]:
        try:
            return await self._shops.origins()
        except Refusal:
            return frozenset()


async def _answer(send: Send, status: int, headers: dict[bytes, bytes]) -> None:
    head = [*headers.items(), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _lifespan(receive: Receive, send: Send) -> None:
    """Everything is built before we are called; an ASGI server that asks is told so."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
