"""The server's side of WebTransport over the ASGI scope "webtransport" (transport/asgi.py).

The session has one stream, which the client opens; the server below refuses every other. What is
written before the client opened it waits here, and the driver's MAX_QUEUED bounds it.

May import: asgi, errors, wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from transport.asgi import ABORT, Receive, Scope, Send
from transport.errors import CloseCode, SessionClosed, wire_code
from transport.wire.lane import Via


class WebTransportCarrier:
    """A `Carrier` for an accepted WebTransport session."""

    __slots__ = ("_abort", "_ended", "_opened", "_receive", "_send", "_stream", "max_datagram")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.max_datagram: int = scope["extensions"]["webtransport"]["max_datagram_size"]
        self._receive = receive
        self._send = send
        self._abort: Callable[[], Any] | None = scope.get("state", {}).get(ABORT)
        self._stream: int | None = None
        self._opened: asyncio.Future[None] | None = None
        """`send`, waiting for the client's stream."""
        self._ended = False

    async def receive(self) -> tuple[Via, bytes]:
        if self._ended:
            raise SessionClosed(CloseCode.ABNORMAL, "the stream ended", remote=True)
        event = await self._receive()
        kind = event["type"]
        if kind == "webtransport.datagram.receive":
            return Via.DATAGRAM, event["data"]
        self._ended = True
        if kind == "webtransport.disconnect":
            self._abort = None  # What is still on its way to the client should get there.
            raise SessionClosed(event["code"], event["reason"], remote=True)
        if kind == "webtransport.stream.reset":
            raise SessionClosed(CloseCode.ABNORMAL, "the stream was reset", remote=True)
        self._ended = not event["more"]
        self._opens(event["stream"])
        return Via.STREAM, event["data"]

    async def send(self, via: Via, data: bytes) -> None:
        if via is Via.DATAGRAM:
            await self._send({"type": "webtransport.datagram.send", "data": data})
            return
        if self._stream is None:
            self._opened = asyncio.get_running_loop().create_future()
            await self._opened
        message = {"type": "webtransport.stream.send", "stream": self._stream, "data": data}
        await self._send({**message, "more": True})

    async def close(self, code: int, reason: str) -> None:
        code = wire_code(code)
        await self._send({"type": "webtransport.close", "code": code, "reason": reason})

    def abort(self) -> None:
        if self._abort is not None:
            self._abort()

    def _opens(self, stream: int) -> None:
        self._stream = stream
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)


async def refuse_webtransport(send: Send, status: int, text: str) -> None:
    """Answer the CONNECT request with an HTTP status."""
    await send({"type": "webtransport.close", "status": status, "code": 0, "reason": text})
