"""The client side of HTTP/3: one connection, and what may be opened on it.

    async with dial("chat.example", 8443, trust=Trust(hashes=frozenset({"…"}))) as client:
        response = await client.request("GET", "/healthz")
        session = await client.open_webtransport("/v1/live", [(b"origin", b"https://…")])
        session.send_stream(b"…")                 # the session's one bidirectional stream
        session.send_datagram(b"…")               # False when it is too large
        event = await session.receive()           # StreamData, Datagram, then Closed for ever
        session.close(1000, "bye")
        socket = await client.open_websocket("/v1/live")   # RFC 9220: raw bytes for a codec above
        socket.send(b"…")
        data = await socket.receive()                      # b"" at the end

What holds always: leaving the block tells the server and leaves nothing behind; when the connection
is lost every wait ends: requests raise ConnectionLost, sessions receive Closed(1006), sockets b"".
`drop()` vanishes without a word, for tests of just that.
May import: aio, peer, dialler, roaming, opened, pieces.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aioquic.h3.connection import Setting
from aioquic.h3.events import (
    DatagramReceived,
    DataReceived,
    H3Event,
    HeadersReceived,
    WebTransportStreamDataReceived,
)
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import HandshakeCompleted, QuicEvent, StreamReset
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from transport.quic import capsules
from transport.quic.aio.configuration import configuration
from transport.quic.aio.connection import Connection
from transport.quic.aio.http3 import H3_NO_ERROR, Http3
from transport.quic.dialler import Dialler
from transport.quic.opened import (
    ABNORMAL,
    OK,
    OPEN_TIMEOUT,
    Closed,
    ConnectionLost,
    Event,
    Refused,
    Socket,
    Stream,
    WebTransport,
)
from transport.quic.peer import Peer, clock
from transport.quic.pieces import Datagram, StreamData
from transport.quic.roaming import Roaming

__all__ = [
    "Address",
    "Closed",
    "ConnectionLost",
    "Datagram",
    "DialError",
    "Event",
    "Http3Client",
    "Refused",
    "Response",
    "Socket",
    "StreamData",
    "Trust",
    "WebTransport",
    "connect",
    "dial",
    "resolve",
]

DIAL_TIMEOUT = 10.0
"""Seconds until the handshake must be done."""
MAX_RESPONSE = 16_777_216
"""Bytes of a response body. Over it: the request is cancelled."""
BAD_CERTIFICATE = 0x100 + 42
"""The TLS alert of that name as a QUIC error (RFC 9001 section 4.8)."""

Headers = Sequence[tuple[bytes, bytes]]


class DialError(Exception):
    """The connection could not be made. The message says why."""


class Trust(Struct, frozen=True):
    """Whom to believe: a server whose certificate has one of `hashes` (base64 of SHA-256) or, when
    there are none, one whose chain leads to `cafile`, or to the authorities that come along.
    `insecure` believes anybody: for tests on one's own machine."""

    hashes: frozenset[str] = frozenset()
    cafile: str | None = None
    insecure: bool = False


class Response(Struct, frozen=True):
    """A whole response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@asynccontextmanager
async def dial(
    host: str, port: int, *, trust: Trust | None = None, timeout: float = DIAL_TIMEOUT
) -> AsyncIterator[Http3Client]:
    """Connect, until the block is left. Raises DialError."""
    client = await connect(host, port, trust=trust, timeout=timeout)
    try:
        yield client
    finally:
        client.leave()
        # Turns of the loop for the flush and for the socket, so that nothing is left behind.
        for _ in range(4):
            await asyncio.sleep(0)


Address = tuple[socket.AddressFamily, Any]


async def resolve(host: str, port: int) -> list[Address]:
    """The host's first address of each family, in the order the system likes. Raises DialError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise DialError(f"There is no address for {host}: {error}") from error
    first: dict[socket.AddressFamily, Any] = {}
    for family, _, _, _, address in found:
        first.setdefault(family, address)
    return list(first.items())


async def connect(
    host: str,
    port: int,
    *,
    address: Address | None = None,
    trust: Trust | None = None,
    timeout: float = DIAL_TIMEOUT,
    datagrams: bool = True,
    roaming: Roaming | None = None,
) -> Http3Client:
    """Connect, to the first address or the one given; the caller ends it by `leave` or `drop`.
    Without `datagrams` there is no room for any, either way. Raises DialError."""
    family, target = address or (await resolve(host, port))[0]
    dialler = Dialler(family, roaming or Roaming())
    client = Http3Client(dialler, host, port, trust or Trust(), datagrams=datagrams)
    try:
        await client.connect(target, timeout)
    except BaseException:
        client.leave()
        raise
    return client


class Http3Client:
    """One HTTP/3 connection to a server."""

    def __init__(
        self, dialler: Dialler, host: str, port: int, trust: Trust, *, datagrams: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        name = f"[{host}]" if ":" in host else host
        self.quic = Connection(client_configuration(host, trust, datagrams))
        self.lost_with: tuple[int, str] | None = None
        self._authority = f"{name}:{port}".encode()
        self._trust = trust
        self._connected: asyncio.Future[None] = loop.create_future()
        self._peer = Peer(self.quic, dialler.send, dialler)
        self._peer.handler = self
        self._h3: Http3 | None = None
        self._streams: dict[int, Stream] = {}
        self._sessions: dict[int, WebTransport] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._dialler = dialler
        dialler.carry(self._peer)

    async def connect(self, address: Any, timeout: float) -> None:
        """Shake hands. Raises DialError."""
        self.quic.connect(address, clock())
        self._peer.flush()
        try:
            await asyncio.wait_for(self._connected, timeout)
        except TimeoutError as error:
            raise DialError(f"No answer from {address[0]} port {address[1]} over UDP.") from error

    async def request(
        self, method: str, path: str, headers: Headers = (), body: bytes = b""
    ) -> Response:
        """A request and its whole response. Raises ConnectionLost."""
        stream = self._open(method, path, headers, end=not body)
        if body:
            stream.send(body, end=True)
        status, received = await stream.head()
        content = bytearray()
        while chunk := await stream.receive():
            content += chunk
            if len(content) > MAX_RESPONSE:
                stream.abort()
        if stream.failed:
            raise ConnectionLost("The response was cut short, or too large.")
        return Response(status, received, bytes(content))

    async def open_websocket(self, path: str, headers: Headers = ()) -> Socket:
        """Extended CONNECT for a WebSocket. Raises Refused, ConnectionLost."""
        version = (b"sec-websocket-version", b"13")
        await self._settled()
        stream = self._open("CONNECT", path, [version, *headers], protocol=b"websocket")
        # RFC 6455 section 4.1, which RFC 9220 keeps: nothing may be said before the answer.
        status, _ = await stream.head()
        if status != OK:
            stream.abort()
            raise Refused(status)
        return Socket(stream)

    async def open_webtransport(self, path: str, headers: Headers = ()) -> WebTransport:
        """A session that the server has taken. Raises Refused, ConnectionLost."""
        session = await self.begin_webtransport(path, headers)
        await session.accepted()
        return session

    async def begin_webtransport(self, path: str, headers: Headers = ()) -> WebTransport:
        """A session that is asked for and can be spoken on: `accepted` tells whether the server
        takes it. Raises ConnectionLost."""
        await self._settled()
        stream = self._open("CONNECT", path, headers, protocol=b"webtransport")
        session = WebTransport(stream)
        self._sessions[stream.id] = self._sessions[session.start()] = session
        return session

    def move(self, local: tuple[str, int] | None = None) -> None:
        """Go on from another socket: the network has changed. Raises OSError."""
        self._dialler.move(local)

    def flush(self) -> None:
        """Send at the end of this turn of the loop."""
        self._peer.flush()

    def close(self) -> None:
        """Tell the server and end."""
        self._peer.close(H3_NO_ERROR)

    def leave(self) -> None:
        """Tell the server, then forget everything, sockets included, within three turns."""
        self.close()
        # A flush may take two turns; this comes after it.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self.drop)

    def drop(self) -> None:
        """Forget everything, without a word: as if the network had gone."""
        self._peer.drop()

    def forget(self, stream_id: int) -> None:
        """A stream is done with."""
        self._streams.pop(stream_id, None)
        self._sessions.pop(stream_id, None)

    # Handler of the peer

    def handle(self, event: QuicEvent) -> None:
        """Something arrived."""
        if isinstance(event, HandshakeCompleted):
            self._shook_hands()
        if self._h3 is None:
            return
        if isinstance(event, StreamReset):
            self._reset(event.stream_id)
        for h3_event in self._h3.handle_event(event):
            self._dispatch(h3_event)

    def progressed(self) -> None:
        """Something was acknowledged, perhaps."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def progress(self) -> None:
        """Wait until something arrives, or until the connection is lost."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        self.lost_with = (code, reason)
        if not self._connected.done():
            self._connected.set_exception(
                DialError(f"The handshake failed: {reason or 'no reason given'} ({code:#x}).")
            )
            self._connected.exception()  # nobody may be waiting
        for session in list(self._sessions.values()):
            session.ended(ABNORMAL, reason)
        for stream in list(self._streams.values()):
            stream.fail()
        self.progressed()

    # Inside

    def _shook_hands(self) -> None:
        if self._trust.hashes and certificate_hash(self.quic) not in self._trust.hashes:
            self._peer.close(BAD_CERTIFICATE, "the certificate has another hash")
            return
        self._h3 = Http3(self.quic)
        if not self._connected.done():
            self._connected.set_result(None)

    def _open(
        self,
        method: str,
        path: str,
        headers: Headers,
        *,
        protocol: bytes | None = None,
        end: bool = False,
    ) -> Stream:
        if self._h3 is None or self.quic.end is not None:
            raise ConnectionLost("The connection is closed.")
        stream = Stream(self, self._h3, self.quic.get_next_available_stream_id())
        self._streams[stream.id] = stream
        head = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", self._authority),
            (b":path", path.encode()),
        ]
        if protocol is not None:
            head.append((b":protocol", protocol))
        self._h3.send_headers(stream.id, [*head, *headers], end_stream=end)
        self.flush()
        return stream

    async def _settled(self) -> None:
        """Wait for the server's SETTINGS: without leave nobody may use extended CONNECT (RFC 8441
        section 3, RFC 9220). Ours go with its handshake. Raises ConnectionLost."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                while (settings := self._settings) is None and self.quic.end is None:
                    await self.progress()
        except TimeoutError as error:
            raise ConnectionLost("The server sends no settings.") from error
        if settings is not None and not settings.get(Setting.ENABLE_CONNECT_PROTOCOL):
            raise ConnectionLost("The server takes no sessions over HTTP/3.")

    @property
    def _settings(self) -> dict[int, int] | None:
        return None if self._h3 is None else self._h3.received_settings

    def _dispatch(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            if event.stream_id in self._streams:
                self._streams[event.stream_id].headers(event.headers, event.stream_ended)
        elif isinstance(event, DataReceived):
            self._data(event.stream_id, event.data, event.stream_ended)
        elif isinstance(event, DatagramReceived):
            if event.stream_id in self._sessions:
                self._sessions[event.stream_id].put_datagram(event.data)
        elif isinstance(event, WebTransportStreamDataReceived):
            if event.stream_id in self._sessions:
                self._sessions[event.stream_id].put_stream(event.data, event.stream_ended)
            else:  # opened by the server: Tradewind's opens none
                self.quic.abandon(event.stream_id, capsules.SESSION_GONE)

    def _data(self, stream_id: int, data: bytes, ended: bool) -> None:
        if stream_id in self._sessions:
            self._sessions[stream_id].capsule(data, ended)
        elif stream_id in self._streams:
            self._streams[stream_id].data(data, ended)

    def _reset(self, stream_id: int) -> None:
        session = self._sessions.get(stream_id)
        if stream_id in self._streams:
            self._streams[stream_id].fail()
        if session is not None:
            session.ended(ABNORMAL, "")


def client_configuration(host: str, trust: Trust, datagrams: bool = True) -> QuicConfiguration:
    """The configuration of a client that believes as `trust` says."""
    settings = configuration(is_client=True, server_name=host)
    if not datagrams:
        # WebTransport asks for the parameter; this is a frame too small to carry anything.
        settings.max_datagram_frame_size = 1
    settings.cafile = trust.cafile
    if trust.hashes or trust.insecure:
        settings.verify_mode = ssl.CERT_NONE  # the hash is checked instead, if any
    return settings


def certificate_hash(quic: Connection) -> str:
    """Base64 of the SHA-256 of the certificate that the server showed."""
    der = quic.peer_certificate.public_bytes(Encoding.DER)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
