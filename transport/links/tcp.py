"""A link's carrier over TCP with TLS 1.3, either end, for networks that drop UDP.

OpenSSL checks the chain in the handshake, and tells the other end by an alert; the same `admit` as
over QUIC judges it once more, because OpenSSL knows nothing of regions. Who is refused then hears
why in a `close`.

What holds always: nothing is handed up of a peer that was not admitted; asyncio's buffers are
bounded: it stops reading over READ_AHEAD, and a writer waits over WRITE_AHEAD.
May import: credentials, frames, carrier, errors.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from cryptography import x509

from transport.errors import CloseCode, SessionClosed
from transport.links import frames
from transport.links.base import CLOSE_LINGER
from transport.links.credentials import ALPN, BAD_CERTIFICATE, Credentials, PeerRefused
from transport.links.quic import Admit, Chain
from transport.quic.dial import Address
from transport.wire.lane import Via

READ_AHEAD = 65_536
"""Bytes that are read before somebody takes them; asyncio lets it be twice as many."""
WRITE_AHEAD = 65_536
"""Bytes beyond what the kernel takes, at which a writer waits."""
RECORD = 16_384
"""Bytes of a read: what fits in a TLS record."""
HANDSHAKE_TIMEOUT = 10.0
"""Seconds a handshake may take."""


class TcpCarrier:
    """A `Carrier`. `region` and `chain` are the peer's."""

    max_datagram = 0

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.region = ""
        self.chain: Chain = ()
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(WRITE_AHEAD)

    async def admit(self, admit: Admit) -> None:
        """Judge the peer. Raises PeerRefused, and the peer is told."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        try:
            if tls.selected_alpn_protocol() != ALPN:
                raise PeerRefused(BAD_CERTIFICATE, f"The peer does not speak {ALPN}.")
            der = tls.getpeercert(binary_form=True)
            self.chain = () if der is None else (x509.load_der_x509_certificate(der),)
            self.region = admit(self.chain)
        except PeerRefused as refused:
            await self._refuse(refused.reason)
            raise

    async def _refuse(self, reason: str) -> None:
        self._writer.write(frames.farewell(CloseCode.FORBIDDEN, reason))
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_LINGER):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()

    async def receive(self) -> tuple[Via, bytes]:
        try:
            data = await self._reader.read(RECORD)
        except OSError as error:
            raise _lost(error) from error
        if not data:
            raise SessionClosed(CloseCode.ABNORMAL, "connection lost", remote=True)
        return Via.STREAM, data

    async def send(self, via: Via, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _lost(error) from error

    async def close(self, code: int, reason: str) -> None:
        self._writer.close()  # what was written goes first, the `close` frame among it

    def abort(self) -> None:
        self._writer.transport.abort()


async def accept_tcp(sock: socket.socket, credentials: Credentials) -> TcpCarrier:
    """Shake hands with who has connected. Raises OSError, ssl.SSLError among them."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(READ_AHEAD)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol,
        sock,
        ssl=credentials.ssl_context(server=True),
        ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
    )
    return TcpCarrier(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def dial_tcp(address: Address, credentials: Credentials, admit: Admit) -> TcpCarrier:
    """Connect and shake hands. Raises OSError, PeerRefused."""
    family, target = address
    reader, writer = await asyncio.open_connection(
        target[0],
        target[1],
        family=family,
        ssl=credentials.ssl_context(server=False),
        limit=READ_AHEAD,
        ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
    )
    carrier = TcpCarrier(reader, writer)
    await carrier.admit(admit)
    return carrier


def _lost(error: OSError) -> SessionClosed:
    return SessionClosed(CloseCode.ABNORMAL, str(error) or type(error).__name__, remote=True)
