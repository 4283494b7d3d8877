"""A link's carrier over TCP with TLS 1.3, either end, for networks that drop UDP.

OpenSSL checks the chain in the handshake and tells the other end by an alert; the same `admit` as
over QUIC judges it once more, because OpenSSL knows nothing of regions. Who is refused by that
hears why in a `close`.

What holds always: nothing is handed up of a peer that was not admitted; over READ_AHEAD bytes that
nobody takes the socket is not read, and a writer waits while tcp.link.HIGH_WATER is not taken.
May import: credentials, frames, carrier, errors, tcp.link.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque

from cryptography import x509

from transport.errors import CloseCode, SessionClosed
from transport.links import frames
from transport.links.base import CLOSE_LINGER
from transport.links.credentials import ALPN, BAD_CERTIFICATE, Credentials, PeerRefused, why
from transport.links.quic import Admit, Chain
from transport.quic.dial import Address
from transport.tcp.link import Link
from transport.wire.lane import Via

READ_AHEAD = 262_144
"""Bytes that are read before somebody takes them."""


class TcpCarrier:
    """A `Carrier`, and the owner of a TCP link. `region` and `chain` are the peer's."""

    max_datagram = 0

    def __init__(self, sock: ssl.SSLSocket, peer: tuple[str, int]) -> None:
        self.region = ""
        self.chain: Chain = ()
        self._sock = sock
        self._input: deque[bytes] = deque()
        self._unread = 0
        self._ended = False
        self._shaken = asyncio.Event()
        self._changed = asyncio.Event()
        """Something came, or the end did."""
        self._gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._link: Link = Link(loop, sock, peer, self._is_gone, self._shaken.set)
        self._link.owner = self

    async def ready(self, admit: Admit) -> None:
        """Wait for the handshake, and judge the peer. Raises PeerRefused, which the peer is told,
        and OSError."""
        try:
            await self._shaken.wait()
            if self._link.fault is not None:
                raise self._link.fault
            self._judge(admit)
        except BaseException as error:
            if isinstance(error, PeerRefused):
                self._link.write(frames.farewell(CloseCode.FORBIDDEN, error.reason))
            await self._leave()
            raise

    def _judge(self, admit: Admit) -> None:
        if self._link.alpn != ALPN:
            raise PeerRefused(BAD_CERTIFICATE, f"The peer does not speak {ALPN}.")
        der = self._sock.getpeercert(binary_form=True)
        self.chain = () if der is None else (x509.load_der_x509_certificate(der),)
        self.region = admit(self.chain)

    async def _leave(self) -> None:
        """Go, when the peer has had its time to hear why."""
        self._link.close()
        try:
            async with asyncio.timeout(CLOSE_LINGER):
                await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            self._link.abort()

    # The carrier.

    async def receive(self) -> tuple[Via, bytes]:
        while not self._input:
            if self._ended:
                fault = self._link.fault
                reason = "connection lost" if fault is None else why(fault)
                raise SessionClosed(CloseCode.ABNORMAL, reason, remote=True)
            self._changed.clear()
            await self._changed.wait()
        data = self._input.popleft()
        self._unread -= len(data)
        if self._unread <= READ_AHEAD // 2:
            self._link.resume()
        return Via.STREAM, data

    async def send(self, via: Via, data: bytes) -> None:
        self._link.write(data)
        await self._link.drained()

    async def close(self, code: int, reason: str) -> None:
        self._link.close()  # what was written goes first, the `close` frame among it

    def abort(self) -> None:
        self._link.abort()

    # The owner of the link.

    def received(self, data: bytes) -> None:
        """Input."""
        self._input.append(data)
        self._unread += len(data)
        if self._unread > READ_AHEAD:
            self._link.pause()
        self._changed.set()

    def ended(self) -> None:
        """No more input."""
        self._ended = True
        self._changed.set()

    def _is_gone(self, _: Link) -> None:
        self.ended()
        self._shaken.set()
        self._gone.set()


async def accept_tcp(
    sock: socket.socket, peer: tuple[str, int], credentials: Credentials, admit: Admit
) -> TcpCarrier:
    """Shake hands with who has connected. Raises PeerRefused, OSError."""
    return await _ready(sock, peer, credentials.ssl_context(server=True), admit, server=True)


async def dial_tcp(address: Address, credentials: Credentials, admit: Admit) -> TcpCarrier:
    """Connect and shake hands. Raises PeerRefused, OSError."""
    family, target = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return await _ready(
        sock, target[:2], credentials.ssl_context(server=False), admit, server=False
    )


async def _ready(
    sock: socket.socket,
    peer: tuple[str, int],
    context: ssl.SSLContext,
    admit: Admit,
    *,
    server: bool,
) -> TcpCarrier:
    try:
        encrypted = context.wrap_socket(sock, server_side=server, do_handshake_on_connect=False)
    except (OSError, ValueError):
        sock.close()
        raise
    carrier = TcpCarrier(encrypted, peer)
    await carrier.ready(admit)
    return carrier
