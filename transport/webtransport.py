"""The server's side of WebTransport over the ASGI scope "webtransport" (transport/asgi.py).

The client opens one bidirectional stream; what we write before it did waits here (the driver's
MAX_QUEUED bounds it). Any other stream is reset; more than MAX_STRAYS of them end the session.

May import: asgi, errors, wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from transport.asgi import ABORT, Message, Receive, Scope, Send
from transport.errors import CloseCode, RemoteProtocolError, SessionClosed, wire_code
from transport.wire.lane import Via

MAX_STRAYS = 8
"""Streams that a client may open in vain. Over it: PROTOCOL_ERROR."""


class WebTransportCarrier:
    """A `Carrier` for an accepted WebTransport session."""

    __slots__ = ("_abort", "_ended", "_opened", "_receive", "_send", "_strays", "_stream",
                 "max_datagram")  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.max_datagram: int = scope["extensions"]["webtransport"]["max_datagram_size"]
        self._receive = receive
        self._send = send
        self._abort: Callable[[], Any] | None = scope.get("state", {}).get(ABORT)
        self._stream: int | None = None
        self._opened: asyncio.Future[None] | None = None
        """`send`, waiting for the client's stream."""
        self._strays: set[int] = set()
        self._ended = False

    async def receive(self) -> tuple[Via, bytes]:
        while not self._ended:
            event = await self._receive()
            kind = event["type"]
            if kind == "webtransport.disconnect":
                self._ended = True
                raise SessionClosed(event["code"], event.get("reason", ""), remote=True)
            if kind == "webtransport.datagram.receive":
                return Via.DATAGRAM, event["data"]
            if await self._is_ours(event["stream"]):
                if kind == "webtransport.stream.reset":
                    break
                return self._stream_bytes(event)
        self._ended = True
        raise SessionClosed(CloseCode.ABNORMAL, "stream ended", remote=True)

    async def send(self, via: Via, data: bytes) -> None:
        if via is Via.DATAGRAM:
            await self._send({"type": "webtransport.datagram.send", "data": data})
            return
        if self._stream is None:
            self._opened = asyncio.get_running_loop().create_future()
            await self._opened
        await self._send(
            {
                "type": "webtransport.stream.send",
                "stream": self._stream,
                "data": data,
                "more": True,
            }
        )

    async def close(self, code: int, reason: str) -> None:
        await self._send(
            {"type": "webtransport.close", "code": wire_code(code), "reason": reason[:256]}
        )

    def abort(self) -> None:
        if self._abort is not None:
            self._abort()

    async def _is_ours(self, stream: int) -> bool:
        """Whether it is the one stream; the first bidirectional one of the client becomes it."""
        # RFC 9000 section 2.1: the two low bits are 0 for bidirectional, opened by the client.
        if self._stream is None and stream & 3 == 0:
            self._stream = stream
            if self._opened is not None:
                self._opened.set_result(None)
                self._opened = None
        if stream == self._stream:
            return True
        await self._refuse(stream)
        return False

    async def _refuse(self, stream: int) -> None:
        if stream in self._strays:
            return
        self._strays.add(stream)
        await self._send(
            {
                "type": "webtransport.stream.reset",
                "stream": stream,
                "code": CloseCode.PROTOCOL_ERROR,
            }
        )
        if len(self._strays) > MAX_STRAYS:
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "more than one stream")

    def _stream_bytes(self, event: Message) -> tuple[Via, bytes]:
        self._ended = not event.get("more", True)
        return Via.STREAM, event["data"]


async def refuse_webtransport(send: Send, status: int, text: str) -> None:
    """Answer the CONNECT request with an HTTP status."""
    await send({"type": "webtransport.close", "status": status, "code": 0, "reason": text})
