"""The client's side of a WebSocket over TCP, by the library `websockets`.

May import: client, wire, errors.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Origin

from transport.client.errors import DialError, DialRefused
from transport.client.framing import MAX_MESSAGE, closed_by
from transport.client.trust import Trust
from transport.errors import CloseCode, RemoteProtocolError, SessionClosed, wire_code
from transport.session import CLOSE_LINGER
from transport.websocket import close_reason
from transport.wire.lane import Via

MAX_MESSAGES = 16
"""Messages read ahead; then the library stops reading the socket."""


class ClientWebSocketCarrier:
    """A `Carrier` over a connected WebSocket."""

    __slots__ = ("_websocket",)

    max_datagram = None

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    async def receive(self) -> tuple[Via, bytes]:
        try:
            data = await self._websocket.recv()
        except ConnectionClosed as error:
            raise _ended(error) from None
        if isinstance(data, str):
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "text message")
        return Via.MESSAGE, data

    async def send(self, via: Via, data: bytes) -> None:
        try:
            await self._websocket.send(data)
        except ConnectionClosed as error:
            raise _ended(error) from None

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(wire_code(code), close_reason(reason))

    def abort(self) -> None:
        self._websocket.transport.abort()


async def connect_websocket(
    url: str, trust: Trust, *, origin: str | None, timeout: float
) -> tuple[ClientWebSocketCarrier, tuple[str, int]]:
    """Connect to `wss://…` or `ws://…`; the carrier and the peer's address.

    Proxies of the environment are not used: what is measured and tested is the server.
    """
    secure = urlsplit(url).scheme == "wss"
    try:
        websocket = await connect(
            url,
            ssl=trust.context() if secure else None,
            origin=None if origin is None else Origin(origin),
            compression=None,
            proxy=None,
            open_timeout=timeout,
            ping_interval=None,
            close_timeout=CLOSE_LINGER,
            max_size=MAX_MESSAGE,
            max_queue=MAX_MESSAGES,
        )
    except InvalidStatus as error:
        raise DialRefused(error.response.status_code) from None
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, EOFError) as error:
        raise DialError(f"cannot connect to {url}: {error}") from error
    if secure:
        _check(websocket, trust)
    peer = websocket.remote_address
    return ClientWebSocketCarrier(websocket), (str(peer[0]), int(peer[1]))


def _check(websocket: ClientConnection, trust: Trust) -> None:
    tls: ssl.SSLObject = websocket.transport.get_extra_info("ssl_object")
    try:
        trust.check(tls.getpeercert(binary_form=True) or b"")
    except DialError:
        websocket.transport.abort()
        raise


def _ended(error: ConnectionClosed) -> SessionClosed:
    if error.rcvd is None:
        return SessionClosed(CloseCode.ABNORMAL, "connection lost", remote=True)
    return closed_by(error.rcvd.code, error.rcvd.reason)
