"""Where the buses of several workers meet: one process takes their events and hands them round.

It lives in the store's process, which publishes `Appended` itself at the commit; so there is one
order of events, and entries keep the order of their `seq` whichever worker appended them.

What holds always: every event goes to everybody who joined its topic, the publisher included, in
one order for all; who does not take what it is sent is cut at MAX_BEHIND bytes and has to join
again, knowing that it missed something; nobody else waits for it.
May import: base; storage's framing and Unix sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw, Struct

from server.bus.base import Event
from storage.remote.framing import Splitter, frame
from storage.remote.unix import bind, remove

MAX_BEHIND = 16_777_216

log = structlog.get_logger(__name__)


class Publish(Struct, frozen=True, array_like=True, tag=0):
    """From a worker: hand this round, and say when you have, if it has a number."""

    topic: str
    event: Raw
    number: int | None = None


class Join(Struct, frozen=True, array_like=True, tag=1):
    """From a worker: tell me of this topic from now on, and say when you do."""

    topic: str
    number: int


class Leave(Struct, frozen=True, array_like=True, tag=2):
    """From a worker: enough of this topic."""

    topic: str


class Joined(Struct, frozen=True, array_like=True, tag=3):
    """To a worker: from here on you are told."""

    number: int


class Told(Struct, frozen=True, array_like=True, tag=4):
    """To a worker: this happened."""

    topic: str
    event: Raw


class Published(Struct, frozen=True, array_like=True, tag=5):
    """To a worker: that was handed round."""

    number: int


encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_asked = msgspec.msgpack.Decoder(Publish | Join | Leave)


class Exchange:
    """Who has joined what."""

    def __init__(self) -> None:
        self.ports: set[_Port] = set()
        self._topics: dict[str, dict[_Port, None]] = {}

    def publish(self, topic: str, event: Event) -> None:
        """Hand an event round. Never waits."""
        self.hand_round(topic, Raw(encode(event)))

    def hand_round(self, topic: str, event: Raw) -> None:
        """The same for one that is packed already."""
        if ports := self._topics.get(topic):
            told = frame(encode(Told(topic, event)))
            for port in tuple(ports):
                port.send(told)

    def join(self, port: _Port, topic: str) -> None:
        self._topics.setdefault(topic, {})[port] = None

    def leave(self, port: _Port, topic: str) -> None:
        ports = self._topics.get(topic, {})
        ports.pop(port, None)
        if not ports:
            self._topics.pop(topic, None)

    def gone(self, port: _Port) -> None:
        self.ports.discard(port)
        for topic in list(self._topics):
            self.leave(port, topic)


@asynccontextmanager
async def exchanging(path: Path) -> AsyncIterator[Exchange]:
    """An exchange at `path` until the block is left. Raises OSError when it cannot be bound."""
    exchange = Exchange()
    bound = bind(path)
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: _Port(exchange), sock=bound
    )
    try:
        yield exchange
    finally:
        server.close()
        remove(path)
        for port in tuple(exchange.ports):
            port.close()


class _Port(asyncio.Protocol):
    """One worker."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._splitter = Splitter()

    def send(self, message: bytes) -> None:
        if self._transport.get_write_buffer_size() > MAX_BEHIND:
            log.warning("bus.cut", reason="a worker does not take its events")
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(message)

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's
        self._exchange.ports.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._exchange.gone(self)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._splitter.feed(data):
                self._take(_asked.decode(message))
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("bus.rubbish", reason=str(error))
            self._transport.abort()

    def _take(self, asked: Publish | Join | Leave) -> None:
        if isinstance(asked, Publish):
            self._exchange.hand_round(asked.topic, asked.event)
            if asked.number is not None:
                self.send(frame(encode(Published(asked.number))))
        elif isinstance(asked, Join):
            self._exchange.join(self, asked.topic)
            self.send(frame(encode(Joined(asked.number))))
        else:
            self._exchange.leave(self, asked.topic)
