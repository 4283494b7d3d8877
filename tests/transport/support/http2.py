"""A WebSocket over HTTP/2 (RFC 8441) from the client's side, which no library at hand speaks.

As a carrier it reads the socket only while somebody receives, so that a test can stop reading.
"""

from __future__ import annotations

import asyncio
from collections import deque
from urllib.parse import urlsplit

import h2.connection
import h2.events
import h2.settings
from h2.config import H2Configuration

from transport.client import Trust
from transport.client.errors import DialRefused
from transport.client.framing import Framing
from transport.wire.lane import Via


class Http2Carrier:
    """A `Carrier` of messages on one stream of an HTTP/2 connection."""

    max_datagram = None

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h2.connection.H2Connection(H2Configuration(header_encoding="utf-8"))
        self._framing = Framing()
        self._stream = 1
        self._status: int | None = None
        self._messages: deque[bytes] = deque()
        self._window_grew = asyncio.Event()

    async def open(self, url: str, origin: str | None) -> None:
        """Extended CONNECT. Raises DialRefused."""
        parts = urlsplit(url)
        self._http.initiate_connection()
        self._flush()
        connect_protocol = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        while self._http.remote_settings.get(connect_protocol, 0) != 1:
            await self._read()
        headers = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", parts.path),
            (":authority", parts.netloc),
            ("sec-websocket-version", "13"),
        ]
        if origin is not None:
            headers.append(("origin", origin))
        self._http.send_headers(self._stream, headers)
        self._flush()
        while self._status is None:
            await self._read()
        if self._status != 200:
            self.abort()
            raise DialRefused(self._status)

    async def receive(self) -> tuple[Via, bytes]:
        while not self._messages:
            if self._framing.end is not None:
                raise self._framing.end
            await self._read()
        return Via.MESSAGE, self._messages.popleft()

    async def send(self, via: Via, data: bytes) -> None:
        await self._send(self._framing.message(data))

    async def send_text(self, text: str) -> None:
        await self._send(self._framing.text(text))

    async def close(self, code: int, reason: str) -> None:
        await self._send(self._framing.close(code, reason))

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _send(self, data: bytes) -> None:
        while data:
            room = min(
                self._http.local_flow_control_window(self._stream),
                self._http.max_outbound_frame_size,
            )
            if room == 0:
                self._window_grew.clear()
                await self._window_grew.wait()
                continue
            self._http.send_data(self._stream, data[:room])
            data = data[room:]
            self._flush()
            await self._writer.drain()

    async def _read(self) -> None:
        try:
            data = await self._reader.read(65_536)
        except OSError:
            data = b""
        if not data:
            self._framing.lost()
            self._status = self._status or 0
            return
        for event in self._http.receive_data(data):
            self._handle(event)
        self._flush()
        if self._framing.answers:
            await self._send(bytes(self._framing.answers))
            self._framing.answers.clear()

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self._status = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length, self._stream)
            if self._status == 200:
                self._messages += self._framing.receive(event.data)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self._window_grew.set()
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self._framing.lost()

    def _flush(self) -> None:
        self._writer.write(self._http.data_to_send())


async def connect_http2(url: str, trust: Trust, origin: str | None = None) -> Http2Carrier:
    """Connect and open. Raises DialRefused."""
    parts = urlsplit(url)
    context = trust.context()
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    carrier = Http2Carrier(reader, writer)
    await carrier.open(url, origin)
    return carrier
