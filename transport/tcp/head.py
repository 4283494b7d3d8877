"""The request that opens a WebSocket for a session (RFC 6455 section 4.2), told from all others.

What holds always: what is taken here is exactly what the RFC asks for, over HTTP/1.1, for
LIVE_PATH; everything else, broken requests among it, is left untouched to the HTTP server beside,
which answers it. Pure: bytes in, a verdict out.
Bound: MAX_HEAD bytes, over which it is no such request.

May import: asgi.
"""

from __future__ import annotations

import base64
import binascii
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import h11
from msgspec import Struct
from websockets.utils import accept_key

from transport.asgi import Scope

MAX_HEAD = 16_384
"""Bytes of a request's head."""

Address = tuple[str, int]


class Verdict(Enum):
    """What the bytes so far are, when they are not a whole `Head`."""

    MORE = auto()
    """Perhaps one of ours."""
    OTHER = auto()
    """Certainly not."""


class Head(Struct, frozen=True):
    """A WebSocket's opening handshake. `rest` came after it."""

    target: bytes
    headers: list[tuple[bytes, bytes]]
    key: str
    rest: bytes

    def scope(self, *, secure: bool, client: Address, server: Address, state: Any) -> Scope:
        """As ASGI describes it."""
        path, _, query = self.target.partition(b"?")
        return {
            "type": "websocket",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "http_version": "1.1",
            "scheme": "wss" if secure else "ws",
            "path": path.decode("ascii"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self.headers,
            "client": client,
            "server": server,
            "subprotocols": [],
            "state": state,
            "extensions": {},
        }

    def accepted(self) -> bytes:
        """The answer that opens the WebSocket."""
        return (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            f"sec-websocket-accept: {accept_key(self.key)}\r\n\r\n"
        ).encode()


def read(data: bytes | bytearray, path: str) -> Head | Verdict:
    """Look at what a connection began with."""
    start = b"GET " + path.encode()
    if data[: len(start)] != start[: len(data)]:
        return Verdict.OTHER
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return Verdict.MORE if len(data) < MAX_HEAD else Verdict.OTHER
    request = _request(bytes(data[: end + 4]))
    if request is None or request.target.partition(b"?")[0] != path.encode():
        return Verdict.OTHER
    key = _key(request)
    if key is None:
        return Verdict.OTHER
    return Head(request.target, list(request.headers), key, bytes(data[end + 4 :]))


def refused(status: int, text: str, now: float) -> bytes:
    """An answer that opens nothing."""
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"date: {formatdate(now, usegmt=True)}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def _request(head: bytes) -> h11.Request | None:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    try:
        parser.receive_data(head)
        event = parser.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


def _key(request: h11.Request) -> str | None:
    """The client's key, when this is a handshake as section 4.2.1 wants it."""
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers:
        headers[name] = headers[name] + b"," + value if name in headers else value
    key = headers.get(b"sec-websocket-key", b"")
    opens = (
        request.method == b"GET"
        and request.http_version == b"1.1"
        and b"websocket" in _tokens(headers.get(b"upgrade", b""))
        and b"upgrade" in _tokens(headers.get(b"connection", b""))
        and headers.get(b"sec-websocket-version") == b"13"
        and headers.get(b"content-length", b"0") == b"0"
        and b"transfer-encoding" not in headers
        and _is_key(key)
    )
    return key.decode("ascii") if opens else None


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",")]


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False
