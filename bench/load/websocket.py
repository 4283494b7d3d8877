"""WebSocket sessions of the generator over TCP and TLS 1.3: the least that RFC 6455 needs.

Client frames are masked with a key of zeros: the server unmasks them at its usual cost, and the
generator saves it. What holds always: a message is one frame each way; control frames are answered.
May import: session; transport's wire.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from bench.load.session import Session
from transport.wire.lane import Packet, Via

_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
_NO_MASK = bytes(4)


def context() -> ssl.SSLContext:
    """One for all connections: the server is ours, so nothing is verified."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


class Line(asyncio.Protocol):
    """One connection with one session: a `Carrier`."""

    __slots__ = ("_buffer", "_name", "_session", "_transport", "_up")

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self._buffer = b""
        self._transport: Any = None
        self._up = False

    @classmethod
    async def open(
        cls, source: str, server: tuple[str, int], name: str, tls: ssl.SSLContext, session: Session
    ) -> None:
        """Connect from an address of this machine; the session is told how that went."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: cls(session, name),
                *server,
                ssl=tls,
                server_hostname=name,
                local_addr=(source, 0),
            )
        except OSError as error:
            session.lost(f"TCP: {error.strerror or error}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(
            f"GET /v1/live HTTP/1.1\r\nHost: {self._name}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._up and not self._upgraded():
            return
        while (frame := self._frame()) is not None:
            kind, payload = frame
            if kind == _BINARY:
                self._session.received(Via.MESSAGE, payload)
            elif kind == _PING:
                self._write(_PONG, payload)
            elif kind == _CLOSE:
                self._session.lost(f"WebSocket {int.from_bytes(payload[:2], 'big')}")

    def connection_lost(self, error: Exception | None) -> None:
        self._session.lost("TCP: " + (str(error) if error else "the server hung up"))

    # The carrier of its session.

    def send(self, packets: list[Packet]) -> None:
        for _, data in packets:
            self._write(_BINARY, data)

    def close(self) -> None:
        if not self._transport.is_closing():
            self._write(_CLOSE, (1000).to_bytes(2, "big"))
            self._transport.close()

    # Inside.

    def _upgraded(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status = self._buffer[: self._buffer.find(b"\r\n")]
        self._buffer = self._buffer[end + 4 :]
        if b" 101 " not in status:
            self._session.lost(f"HTTP: {status.decode(errors='replace')}")
            return False
        self._up = True
        self._session.opened(self, None)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._buffer
        if len(data) < 2:
            return None
        length, at = data[1] & 0x7F, 2
        if length > 125:
            size = 2 if length == 126 else 8
            at += size
            length = int.from_bytes(data[2:at], "big")
        if len(data) < at + length:
            return None
        self._buffer = data[at + length :]
        return data[0], data[at : at + length]

    def _write(self, kind: int, payload: bytes) -> None:
        length = len(payload)
        if length <= 125:
            head = bytes([kind, 0x80 | length])
        else:
            head = bytes([kind, 0x80 | 126]) + length.to_bytes(2, "big")
        self._transport.write(head + _NO_MASK + payload)
