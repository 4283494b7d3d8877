"""The client's side of the two transports over QUIC: WebTransport and WebSocket over HTTP/3.

Each session has a QUIC connection of its own. What holds always: when the carrier has ended, the
connection is left with a word, when it is aborted before that, without one.
May import: client, quic, wire, errors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from urllib.parse import SplitResult

from transport.carrier import Carrier
from transport.client.errors import DialError, DialRefused
from transport.client.framing import Framing
from transport.client.race import race
from transport.client.trust import Trust
from transport.client.udp import STAGGER, believed, next_piece
from transport.errors import CloseCode, SessionClosed, wire_code
from transport.quic import dial as quic
from transport.quic.aio.bounds import HIGH_WATER
from transport.quic.roaming import Roaming
from transport.session import CLOSE_LINGER, TransportKind
from transport.wire.lane import Via


class WebTransportCarrier:
    """A `Carrier` over an open WebTransport session."""

    def __init__(self, client: quic.Http3Client, session: quic.WebTransport) -> None:
        self._client = client
        self._session = session
        self._ended = False
        self._told: asyncio.Future[None] | None = None
        """From our `close` until the server has acknowledged it."""
        self.max_datagram = session.max_datagram_size

    async def answered(self) -> None:
        """Wait until the server has taken the session. Raises DialRefused, DialError."""
        try:
            await self._session.accepted()
        except quic.Refused as error:
            raise DialRefused(error.status) from None
        except quic.ConnectionLost as error:
            raise DialError(str(error)) from error

    async def receive(self) -> tuple[Via, bytes]:
        if self._ended:
            raise SessionClosed(CloseCode.ABNORMAL, "connection lost", remote=True)
        piece = await next_piece(self._session)
        if isinstance(piece, quic.Closed):
            if self._told is not None:
                await self._told
            self._ended = True
            raise SessionClosed(piece.code, piece.reason, remote=True)
        return piece

    async def send(self, via: Via, data: bytes) -> None:
        if via is Via.DATAGRAM:
            self._session.send_datagram(data)
        else:
            self._session.send_stream(data)
            await self._session.drained(HIGH_WATER)

    async def close(self, code: int, reason: str) -> None:
        self._told = asyncio.get_running_loop().create_future()
        # The capsule is on another stream: it should not overtake what was written before it.
        try:
            async with asyncio.timeout(CLOSE_LINGER / 4):
                await self._session.drained(0)
        except TimeoutError:
            pass
        self._session.close(wire_code(code), reason)
        await self._session.told()
        if not self._told.done():  # who waited may have been told to stop waiting
            self._told.set_result(None)

    def abort(self) -> None:
        if self._ended:
            self._client.leave()
        else:
            self._session.abort()
            self._client.drop()

    def move(self, local: tuple[str, int] | None = None) -> None:
        self._client.move(local)


class WebSocketCarrier:
    """A `Carrier` over a WebSocket on one stream of HTTP/3."""

    max_datagram = None

    def __init__(self, client: quic.Http3Client, socket: quic.Socket) -> None:
        self._client = client
        self._socket = socket
        self._framing = Framing()
        self._messages: deque[bytes] = deque()

    async def receive(self) -> tuple[Via, bytes]:
        while not self._messages:
            if self._framing.end is not None:
                raise self._framing.end
            if data := await self._socket.receive():
                self._messages += self._framing.receive(data)
                self._answer()
            else:
                self._framing.lost()
        return Via.MESSAGE, self._messages.popleft()

    async def send(self, via: Via, data: bytes) -> None:
        self._socket.send(self._framing.message(data))
        await self._socket.drained(HIGH_WATER)

    async def close(self, code: int, reason: str) -> None:
        self._socket.send(self._framing.close(code, reason))

    def abort(self) -> None:
        if self._framing.end is not None:
            self._client.leave()
        else:
            self._framing.lost()
            self._client.drop()

    def move(self, local: tuple[str, int] | None = None) -> None:
        self._client.move(local)

    def _answer(self) -> None:
        if self._framing.answers:
            self._socket.send(bytes(self._framing.answers))
            self._framing.answers.clear()


async def connect_quic(
    parts: SplitResult,
    kind: TransportKind,
    trust: Trust,
    *,
    origin: str | None,
    timeout: float,
    datagrams: bool,
    roaming: Roaming | None = None,
    eager: bool = False,
) -> tuple[Carrier, tuple[str, int]]:
    """Connect to the host of the URL over UDP; the carrier and the server's name and port. An
    `eager` one can be spoken on before the server has answered, where the protocol allows it."""
    peer = (parts.hostname or "", parts.port or 443)
    try:
        async with asyncio.timeout(timeout):
            client = await _shake_hands(*peer, believed(trust), timeout, datagrams, roaming)
            try:
                return await _open(client, parts.path, kind, origin, eager), peer
            except BaseException:
                client.leave()
                raise
    except quic.Refused as error:
        raise DialRefused(error.status) from None
    except DialRefused:
        raise
    except (quic.DialError, quic.ConnectionLost, DialError, TimeoutError, OSError) as error:
        raise DialError(f"cannot connect to {parts.geturl()} over UDP: {error}") from error


async def _shake_hands(
    host: str,
    port: int,
    trust: quic.Trust,
    timeout: float,
    datagrams: bool,
    roaming: Roaming | None,
) -> quic.Http3Client:
    """The addresses of a host against each other, as RFC 8305 asks: IPv6 may lead nowhere."""

    async def attempt(address: quic.Address) -> quic.Http3Client:
        try:
            return await quic.connect(
                host,
                port,
                address=address,
                trust=trust,
                timeout=timeout,
                datagrams=datagrams,
                roaming=roaming,
            )
        except (quic.DialError, OSError) as error:
            raise DialError(str(error)) from error

    addresses = await quic.resolve(host, port)
    attempts = [partial(attempt, address) for address in addresses]
    return await race(attempts, STAGGER, quic.Http3Client.leave)


async def _open(
    client: quic.Http3Client, path: str, kind: TransportKind, origin: str | None, eager: bool
) -> Carrier:
    headers = [] if origin is None else [(b"origin", origin.encode())]
    if kind is TransportKind.WEBSOCKET_H3:
        return WebSocketCarrier(client, await client.open_websocket(path, headers))
    carrier = WebTransportCarrier(client, await client.begin_webtransport(path, headers))
    if not eager:
        await carrier.answered()
    return carrier
