"""WebTransport sessions of the generator: many QUIC connections on one UDP socket.

What holds always: a packet is routed by the connection ID in it, as on a server; a connection that
ends leaves the table; nothing waits: what the kernel will not take is lost, as in a network.
May import: engine, h3, session, timers; transport's wire.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.load import engine, h3
from bench.load.session import Session
from bench.load.timers import Timers
from transport.wire.lane import Packet, Via

MAX_DATAGRAM = 1_100
"""Bytes of the largest datagram that is sent."""
HANDSHAKE_DEADLINE = 15.0
"""Seconds until a session must be open."""

clock = time.monotonic


class Socket(asyncio.DatagramProtocol):
    """One UDP socket, and the table of the connections on it."""

    def __init__(self, server: tuple[str, int], name: str, timers: Timers) -> None:
        self.server = server
        self.name = name
        self.timers = timers
        self.lines: dict[bytes, Line] = {}
        self._transport: Any = None

    @classmethod
    async def open(cls, source: str, server: tuple[str, int], name: str, timers: Timers) -> Socket:
        """Bind to an address of this machine."""
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_datagram_endpoint(
            lambda: cls(server, name, timers), local_addr=(source, 0)
        )
        return socket

    def connect(self, session: Session) -> None:
        """Begin a session; it is told how that went."""
        Line(self, session).start()

    def close(self) -> None:
        """Be gone."""
        if self._transport is not None:
            self._transport.close()

    def send(self, data: bytes) -> None:
        """One packet to the server."""
        if not self._transport.is_closing():
            self._transport.sendto(data, self.server)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        line = self.lines.get(_destination(data))
        if line is not None:
            line.receive(data)


class Line:
    """One connection with one session: a `Carrier`."""

    __slots__ = (
        "_answer",
        "_born",
        "_closing",
        "_ids",
        "_quic",
        "_session",
        "_socket",
        "_up",
        "armed",
    )

    def __init__(self, socket: Socket, session: Session) -> None:
        self.armed = 0.0
        self._socket = socket
        self._session = session
        self._quic = engine.connection(socket.name)
        self._ids: set[bytes] = set()
        self._answer = b""
        self._up = False
        self._closing = False
        self._born = clock()

    def start(self) -> None:
        """Send the first packet; the source connection ID in it is ours to be called by."""
        now = clock()
        self._quic.connect(self._socket.server, now)
        packets = self._quic.datagrams_to_send(now)
        self._issued(_source(packets[0][0]))
        for data, _ in packets:
            self._socket.send(data)
        self._arm()

    def receive(self, data: bytes) -> None:
        """A packet for this connection."""
        self._quic.receive_datagram(data, self._socket.server, clock())
        self._handle()
        self.flush()

    def flush(self) -> None:
        """Send what is due."""
        for data, _ in self._quic.datagrams_to_send(clock()):
            self._socket.send(data)
        self._arm()

    def tick(self, now: float) -> None:
        """A timer of the connection, or the deadline of its handshake."""
        if not self._up and now >= self._born + HANDSHAKE_DEADLINE:
            self._session.lost("no answer")
            self._forget()
            return
        due = self._quic.get_timer()
        if due is not None and due <= now + 0.001:
            self._quic.handle_timer(now)
            self._handle()
        self.flush()

    # The carrier of its session.

    def send(self, packets: list[Packet]) -> None:
        for via, data in packets:
            if via is Via.DATAGRAM:
                self._quic.send_datagram_frame(h3.DATAGRAM_PREFIX + data)
            else:
                self._quic.send_stream_data(h3.SESSION_STREAM, data)
            self.flush()  # Two copies must not share a packet.

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._quic.close(error_code=h3.NO_ERROR)
            self.flush()

    # What happens.

    def _handle(self) -> None:
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, engine.StreamDataReceived):
                self._stream(event.stream_id, event.data, event.end_stream)
            elif isinstance(event, engine.DatagramFrameReceived):
                if event.data[:1] == h3.DATAGRAM_PREFIX:
                    self._session.received(Via.DATAGRAM, event.data[1:])
            elif isinstance(event, engine.HandshakeCompleted):
                self._ask()
            elif isinstance(event, engine.ConnectionIdIssued):
                self._issued(event.connection_id)
            elif isinstance(event, engine.StreamReset):
                self._session.lost("the server reset the stream")
            elif isinstance(event, engine.ConnectionTerminated):
                self._session.lost(f"QUIC {event.error_code:#x} {event.reason_phrase}".strip())
                self._forget()

    def _ask(self) -> None:
        authority = f"{self._socket.name}:{self._socket.server[1]}"
        self._quic.send_stream_data(h3.CONNECT_STREAM, h3.connect(authority, "/v1/live"))
        self._quic.send_stream_data(h3.CONTROL_STREAM, h3.control())

    def _stream(self, stream_id: int, data: bytes, ended: bool) -> None:
        if stream_id == h3.SESSION_STREAM:
            if data:
                self._session.received(Via.STREAM, data)
        elif stream_id == h3.CONNECT_STREAM and not self._up:
            self._answer += data
            self._answered(h3.accepted(self._answer))
        if ended and stream_id in (h3.CONNECT_STREAM, h3.SESSION_STREAM):
            self._session.lost("the server ended the session")

    def _answered(self, yes: bool | None) -> None:
        if yes is None:
            return
        self._up, self._answer = True, b""
        if not yes:
            self._session.lost("the server refused the session")
            return
        self._quic.send_stream_data(h3.SESSION_STREAM, h3.SESSION_PREFIX)
        self._session.opened(self, MAX_DATAGRAM)

    def _issued(self, connection_id: bytes) -> None:
        self._ids.add(connection_id)
        self._socket.lines[connection_id] = self

    def _forget(self) -> None:
        for connection_id in self._ids:
            self._socket.lines.pop(connection_id, None)
        self._ids.clear()

    def _arm(self) -> None:
        due = self._quic.get_timer()
        if not self._up:
            deadline = self._born + HANDSHAKE_DEADLINE
            due = deadline if due is None else min(due, deadline)
        if self._ids:
            self._socket.timers.arm(self, due)


def _destination(packet: bytes) -> bytes:
    """Whom a packet is for (RFC 8999 section 5)."""
    if packet and packet[0] & 0x80:
        return packet[6 : 6 + packet[5]] if len(packet) > 6 else b""
    return packet[1 : 1 + engine.CONNECTION_ID_LENGTH]


def _source(packet: bytes) -> bytes:
    """Whom a packet with a long header is from."""
    at = 6 + packet[5]
    return packet[at + 1 : at + 1 + packet[at]]
