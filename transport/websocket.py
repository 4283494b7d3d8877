"""The server's side of a WebSocket (RFC 6455, 8441, 9220) over an ASGI scope "websocket".

One binary message is one frame. The peer's close code is the one in its frame `close`: ASGI servers
do not all pass on the code of a Close frame.

May import: asgi, errors, wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transport.asgi import ABORT, Receive, Scope, Send
from transport.errors import CloseCode, RemoteProtocolError, SessionClosed, wire_code
from transport.wire.lane import Via

MAX_REASON = 123
"""Bytes of a close reason (RFC 6455 section 5.5: a control frame has 125, the code takes two)."""


def close_reason(reason: str, limit: int = MAX_REASON) -> str:
    """Cut a reason to `limit` bytes of UTF-8, at a character."""
    return reason.encode()[:limit].decode(errors="ignore")


class WebSocketCarrier:
    """A `Carrier` for an accepted WebSocket."""

    __slots__ = ("_abort", "_receive", "_send")

    max_datagram = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._abort: Callable[[], Any] | None = scope.get("state", {}).get(ABORT)

    async def receive(self) -> tuple[Via, bytes]:
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self._abort = None  # What is still on its way to the client should get there.
            raise SessionClosed(
                event.get("code") or CloseCode.ABNORMAL, "connection ended", remote=True
            )
        data = event.get("bytes")
        if data is None:
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "text message")
        return Via.MESSAGE, data

    async def send(self, via: Via, data: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int, reason: str) -> None:
        await self._send(
            {"type": "websocket.close", "code": wire_code(code), "reason": close_reason(reason)}
        )

    def abort(self) -> None:
        if self._abort is not None:
            self._abort()


async def refuse_websocket(send: Send, status: int, text: str) -> None:
    """Answer the handshake with an HTTP response."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": text.encode()})
