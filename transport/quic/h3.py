"""HTTP/3 on one server connection: events of the streams to whoever carries each request.

What holds always: a request is carried by an Exchange (HTTP, WebSocket) or a WebTransportSession,
and after its end nothing that still arrives on its streams can raise or be kept; over MAX_REQUESTS
running at once a request is reset with H3_REQUEST_REJECTED (the client may repeat it); a CONNECT
other than for websocket and webtransport is answered 501.
May import: aio, peer, exchange, sessions, asgi.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from aioquic.h3.events import (
    DatagramReceived,
    DataReceived,
    H3Event,
    HeadersReceived,
    WebTransportStreamDataReceived,
)
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamReset
from hypercorn.config import Config

from transport.asgi import App
from transport.quic.aio.bounds import HIGH_WATER, MAX_FIELD_SECTION, WRITE_STALL
from transport.quic.aio.http3 import (
    H3_EXCESSIVE_LOAD,
    H3_MESSAGE_ERROR,
    H3_NO_ERROR,
    H3_REQUEST_REJECTED,
    Http3,
)
from transport.quic.early import Early
from transport.quic.exchange import Exchange
from transport.quic.peer import Peer
from transport.quic.request import Head, MalformedRequest, read_head
from transport.quic.sessions import WebTransportSession

MAX_REQUESTS = 32
"""Requests and sessions whose application runs at once on a connection."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Carrier(Protocol):
    """What a request stream leads to."""

    def data(self, data: bytes) -> None: ...

    def ended(self) -> None: ...

    def reset(self) -> None: ...

    def stopped(self) -> None: ...


class Http3Server:
    """Handles one connection."""

    def __init__(
        self,
        app: App,
        peer: Peer,
        spawn: Spawn,
        config: Config,
        state: dict[str, Any],
        *,
        client: tuple[str, int],
        server: tuple[str, int],
    ) -> None:
        self.app = app
        self.peer = peer
        self.quic = peer.quic
        self.h3 = Http3(peer.quic)
        self.state = state
        self.client = client
        self.server = server
        self.config = config
        self.running = 0
        self._spawn = spawn
        self._carriers: dict[int, Carrier] = {}
        self._sessions: dict[int, WebTransportSession] = {}
        self._early = Early(self._reject_early)
        self._ending: list[Callable[[], None]] = []
        self._waiters: dict[int, asyncio.Event] = {}
        self._next_request = 0
        self._going_away = False

    # Handler of the peer

    def handle(self, event: QuicEvent) -> None:
        """Something arrived on the connection."""
        if isinstance(event, StreamReset):
            self._reset(event.stream_id, event.error_code)
        elif isinstance(event, StopSendingReceived):
            self._stopped(event.stream_id)
        for h3_event in self.h3.handle_event(event):
            self._dispatch(h3_event)

    def progressed(self) -> None:
        """A packet was handled: end what it ended, and let writers on that it acknowledged."""
        self._end_sessions()
        if self._waiters:
            self._wake(lambda _: True)

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        self._end_sessions()
        for carrier in list(self._carriers.values()):
            carrier.reset()
        self._early.clear()
        self._wake(lambda _: True)

    # The endpoint

    def go_away(self) -> None:
        """Serve what runs, and nothing new (RFC 9114 section 5.2)."""
        self._going_away = True
        self.h3.send_goaway(self._next_request)
        self.peer.flush()

    # What carriers use

    def at_end_of_packet(self, end: Callable[[], None]) -> None:
        """Do this when all frames of the packet were handled: the stream bytes that were sent
        before a close may stand behind it."""
        self._ending.append(end)

    def flush(self) -> None:
        """Send at the end of this turn of the loop."""
        self.peer.flush()

    async def drained(self, stream_id: int) -> None:
        """Wait while too much of a stream is unacknowledged. Resets one that stalls too long."""
        if self._must_wait(stream_id, HIGH_WATER):
            self.quic.stalls += 1
            try:
                await self.acknowledged(stream_id, HIGH_WATER, WRITE_STALL)
            except TimeoutError:
                self.abandon(stream_id, H3_EXCESSIVE_LOAD)

    async def acknowledged(self, stream_id: int, left: int, timeout: float) -> None:
        """Wait until at most `left` bytes are unacknowledged, or all is lost. Raises
        TimeoutError."""
        async with asyncio.timeout(timeout):
            while self._must_wait(stream_id, left):
                await self._waiters.setdefault(stream_id, asyncio.Event()).wait()

    def abandon(self, stream_id: int, code: int) -> None:
        """End both halves of a stream, whatever state they are in."""
        self.quic.abandon(stream_id, code)
        self.h3.end_sending(stream_id)
        self._wake(lambda waiting: waiting == stream_id)
        self.flush()

    def finished(self, stream_id: int) -> None:
        """The carrier is done with its stream; what still comes on it is thrown away."""
        self._carriers.pop(stream_id, None)
        self._sessions.pop(stream_id, None)
        self.quic.release_all(stream_id)

    # Inside

    def _end_sessions(self) -> None:
        while self._ending:
            self._ending.pop(0)()

    def _must_wait(self, stream_id: int, left: int) -> bool:
        return self.quic.unacked(stream_id) > left and self.quic.end is None

    def _wake(self, which: Callable[[int], bool]) -> None:
        for stream_id in [s for s in self._waiters if which(s)]:
            self._waiters.pop(stream_id).set()

    def _dispatch(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self._headers(event)
        elif isinstance(event, DataReceived):
            self._data(event)
        elif isinstance(event, WebTransportStreamDataReceived):
            self._stream_data(event.session_id, event.stream_id, event.data, event.stream_ended)
        elif isinstance(event, DatagramReceived):
            self._datagram(event.stream_id, event.data)

    def _headers(self, event: HeadersReceived) -> None:
        stream_id = event.stream_id
        carrier = self._carriers.get(stream_id)
        if carrier is not None:  # trailers: nobody here reads them
            if event.stream_ended:
                carrier.ended()
            return
        self._next_request = max(self._next_request, stream_id + 4)
        if self._going_away or self.running >= MAX_REQUESTS:
            self.abandon(stream_id, H3_REQUEST_REJECTED)
            return
        if sum(len(name) + len(value) + 32 for name, value in event.headers) > MAX_FIELD_SECTION:
            self.abandon(stream_id, H3_EXCESSIVE_LOAD)
            return
        try:
            head = read_head(event.headers)
        except MalformedRequest:
            self.abandon(stream_id, H3_MESSAGE_ERROR)
            return
        self._start(stream_id, head, event.stream_ended)

    def _start(self, stream_id: int, head: Head, ended: bool) -> None:
        if head.method != "CONNECT" or head.protocol == "websocket":
            exchange = Exchange(self, stream_id, head)
            self._carriers[stream_id] = exchange
            self._run(exchange.run())
            if ended:
                exchange.ended()
        elif head.protocol in ("webtransport", "webtransport-h3"):
            session = WebTransportSession(self, stream_id, head)
            self._carriers[stream_id] = self._sessions[stream_id] = session
            self._run(session.run())
            for early in self._early.take(stream_id):
                early(session)
            if ended:
                session.ended()
        else:
            self.answer(stream_id, 501)

    def answer(self, stream_id: int, status: int) -> None:
        """A whole response without a body."""
        if self.quic.can_send(stream_id):
            headers = [(b":status", b"%d" % status), (b"content-length", b"0")]
            self.h3.send_headers(stream_id, headers, end_stream=True)
            self.quic.stop(stream_id, H3_NO_ERROR)
            self.flush()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.running += 1
        self._spawn(coroutine).add_done_callback(self._ran)

    def _ran(self, _: asyncio.Task[None]) -> None:
        self.running -= 1

    def _data(self, event: DataReceived) -> None:
        carrier = self._carriers.get(event.stream_id)
        if carrier is None:
            return  # answered already
        if event.data:
            carrier.data(event.data)
        if event.stream_ended:
            carrier.ended()

    def _reset(self, stream_id: int, code: int) -> None:
        carrier = self._carriers.get(stream_id)
        if carrier is not None:
            carrier.reset()
        for session in self._sessions.values():
            if session.stream == stream_id:
                session.stream_reset(stream_id, code)

    def _stopped(self, stream_id: int) -> None:
        self._wake(lambda waiting: waiting == stream_id)
        carrier = self._carriers.get(stream_id)
        if carrier is not None:
            carrier.stopped()

    def _stream_data(self, session_id: int, stream_id: int, data: bytes, ended: bool) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.stream_data(stream_id, data, ended)
        elif session_id % 4 or session_id in self._carriers:
            self.refuse_stream(stream_id)
        else:
            self._early.put(
                session_id, len(data), lambda s: s.stream_data(stream_id, data, ended), stream_id
            )

    def _datagram(self, session_id: int, data: bytes) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.datagram(data)
        elif session_id not in self._carriers:
            self._early.put(session_id, len(data), lambda s: s.datagram(data), None)

    def refuse_stream(self, stream_id: int, code: int = H3_REQUEST_REJECTED) -> None:
        """A WebTransport stream that nobody wants."""
        if stream_is_unidirectional(stream_id):
            self.quic.stop(stream_id, code)
        else:
            self.quic.abandon(stream_id, code)
        self.h3.end_sending(stream_id)
        self.flush()

    def _reject_early(self, streams: set[int], code: int) -> None:
        for stream_id in streams:
            self.refuse_stream(stream_id, code)
