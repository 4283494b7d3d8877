"""The bus of one worker among several: events go to the exchange and come back from there.

What holds always: what the seam promises, as long as the exchange is there. Events that happen
while it is away are lost, those that entries are told by among them; so once it is back and all
topics are joined again `on_gap` is called, and whoever it tells has to look into the logs.
`subscribe` waits for the exchange.
An event is out (`done`) once the exchange says that it was handed round; if it cannot say so,
because the connection broke, nobody is told.
Bound: MAX_WAITING events that are not on their way to the exchange.
May import: base, receivers, exchange's messages; storage's framing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw

from server.bus.base import MAX_WAITING, Done, Event, Receiver
from server.bus.exchange import Join, Joined, Leave, Publish, Published, Told, encode
from server.bus.receivers import Receivers, tell
from storage.remote.framing import Splitter, frame

RETRY = 0.05
"""Seconds between two attempts to reach the exchange."""

_told = msgspec.msgpack.Decoder(Joined | Told | Published)
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)

log = structlog.get_logger(__name__)


class UnixBus:
    """Fan-out through the exchange at `path`. `run` must run for anything to happen."""

    def __init__(self, path: Path, on_gap: Callable[[], None] = lambda: None) -> None:
        self.dropped = 0
        self.on_gap = on_gap
        self._path = path
        self._wire: _Wire | None = None
        self._lost = asyncio.Event()
        self._waiting: deque[Publish | Join | Leave] = deque()
        self._flushing = False
        self._receivers = Receivers()
        self._numbers = count()
        self._joining: dict[int, tuple[str, Receiver, asyncio.Future[None]]] = {}
        self._rejoining: set[int] = set()
        self._dones: dict[int, Done] = {}
        """Who waits to hear that its event was handed round, by the event's number."""

    def publish(self, topic: str, event: Event, done: Done | None = None) -> None:
        """Send it off; it comes back in the order that all see."""
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        number = None
        if done is not None:
            number = next(self._numbers)
            self._dones[number] = done
        self._put(Publish(topic, Raw(encode(event)), number))

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Returns when the exchange has said from where on it tells."""
        number = next(self._numbers)
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joining[number] = topic, receiver, joined
        if self._wire is not None:
            self._put(Join(topic, number))
        try:
            await joined
        except asyncio.CancelledError:
            del self._joining[number]
            await self.unsubscribe(topic, receiver)
            raise
        del self._joining[number]

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        if self._receivers.remove(topic, receiver):
            wanted = any(topic == joining for joining, *_ in self._joining.values())
            if self._wire is not None and not wanted:
                self._put(Leave(topic))

    async def close(self) -> None:
        self._receivers.clear()
        if self._wire is not None:
            self._wire.close()

    async def run(self) -> None:
        """Keep a connection to the exchange, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._lost.clear()
            try:
                await loop.create_unix_connection(lambda: _Wire(self), str(self._path))
            except OSError:
                await asyncio.sleep(RETRY)
            else:
                await self._lost.wait()

    # What the wire tells.

    def connected(self, wire: _Wire) -> None:
        """Join everything anew, before anything that waits."""
        self._wire = wire
        self._rejoining = {next(self._numbers) for _ in self._receivers}
        joins = [*zip(self._receivers, self._rejoining, strict=True)]
        joins += [(topic, number) for number, (topic, *_) in self._joining.items()]
        wire.write(b"".join(frame(encode(Join(topic, number))) for topic, number in joins))
        self.flush()

    def disconnected(self) -> None:
        """From now on something is missed. Events wait; what to join is told anew."""
        self._wire = None
        self._waiting = deque(m for m in self._waiting if isinstance(m, Publish))
        waiting = {m.number for m in self._waiting if isinstance(m, Publish)}
        self._dones = {n: done for n, done in self._dones.items() if n in waiting}
        self._lost.set()

    def take(self, message: bytes) -> None:
        """One message of the exchange."""
        told = _told.decode(message)
        if isinstance(told, Told):
            self._receivers.deliver(told.topic, _event.decode(told.event))
        elif isinstance(told, Published):
            if done := self._dones.pop(told.number, None):
                tell(done)
        elif told.number in self._rejoining:
            self._rejoining.discard(told.number)
            if not self._rejoining:
                log.warning("bus.gap", reason="the exchange was away")
                self.on_gap()
        elif told.number in self._joining:
            topic, receiver, joined = self._joining[told.number]
            if not joined.done():
                self._receivers.add(topic, receiver)
                joined.set_result(None)

    def flush(self) -> None:
        """Send what waits, as far as the wire takes it."""
        self._flushing = False
        if self._wire is not None and self._waiting and not self._wire.full:
            self._wire.write(b"".join(frame(encode(message)) for message in self._waiting))
            self._waiting.clear()

    def _put(self, message: Publish | Join | Leave) -> None:
        self._waiting.append(message)
        if not self._flushing:
            # Once per turn of the loop: what is published together leaves together.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)


class _Wire(asyncio.Protocol):
    """One connection to the exchange."""

    def __init__(self, bus: UnixBus) -> None:
        self.full = False
        self._bus = bus
        self._splitter = Splitter()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's
        self._bus.connected(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._bus.disconnected()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._bus.flush()

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._splitter.feed(data):
                self._bus.take(message)
        except (ValueError, msgspec.MsgspecError) as error:
            log.error("bus.rubbish", reason=str(error))
            self._transport.abort()
