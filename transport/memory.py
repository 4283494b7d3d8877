"""Two sessions joined in memory, for tests: real driver, real lane, and a network that obeys.

The network delays everything by `delay`; datagrams it also loses and holds back, by a seeded
generator, so that a failing run can be run again. What is reliable it carries like a stream or a
WebSocket does: in order, and the writer waits while WINDOW bytes are not read.

May import: driver, session, wire, errors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from uuid import uuid4

from msgspec import Struct

from transport.driver import Driver
from transport.errors import CloseCode, SessionClosed
from transport.session import SessionInfo, TransportKind
from transport.wire.lane import Via
from transport.wire.machine import Role

WINDOW = 65_536
"""Bytes on their way, or arrived and not read, at which a writer waits."""
LATE = 0.02
"""Seconds that a datagram which is held back comes later: longer than the lane's gap."""


class Network(Struct, frozen=True, kw_only=True):
    """What lies between the two. `max_datagram` as in `Machine`: 0 without datagrams, None for
    messages. `loss` and `late` are the shares of datagrams lost and held back."""

    max_datagram: int | None = 1200
    delay: float = 0.0
    loss: float = 0.0
    late: float = 0.0
    seed: int = 1


class _Pipe:
    """One direction: what one end sends and the other receives."""

    def __init__(self, network: Network, seed: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._random = Random(seed)
        self._flying: deque[bytes | SessionClosed] = deque()
        self._arrived: deque[tuple[Via, bytes] | SessionClosed] = deque()
        self._unread = 0
        self._changed = asyncio.Event()
        self._via = Via.MESSAGE if network.max_datagram is None else Via.STREAM

    async def send(self, data: bytes) -> None:
        while self._unread > WINDOW and not self._ended():
            self._changed.clear()
            await self._changed.wait()
        self._unread += len(data)
        self._fly(data)

    def send_datagram(self, data: bytes) -> None:
        if self._random.random() < self._network.loss:
            return
        late = LATE if self._random.random() < self._network.late else 0.0
        self._loop.call_later(self._network.delay + late, self._arrive, Via.DATAGRAM, data)

    def end(self, code: int, reason: str) -> None:
        """Nothing comes after this."""
        self._fly(SessionClosed(code, reason, remote=True))

    def cut(self) -> None:
        """Like `end`, at once, and what was on its way is lost."""
        if not self._ended():
            self._flying.clear()
            self._arrived.append(SessionClosed(CloseCode.ABNORMAL, "cut", remote=True))
            self._changed.set()

    async def receive(self) -> tuple[Via, bytes]:
        while not self._arrived:
            self._changed.clear()
            await self._changed.wait()
        item = self._arrived[0]
        if isinstance(item, SessionClosed):
            raise SessionClosed(item.code, item.reason, remote=True)
        self._arrived.popleft()
        if item[0] is not Via.DATAGRAM:
            self._unread -= len(item[1])
            self._changed.set()
        return item

    def _ended(self) -> bool:
        return bool(self._arrived) and isinstance(self._arrived[-1], SessionClosed)

    def _fly(self, item: bytes | SessionClosed) -> None:
        self._flying.append(item)
        self._loop.call_later(self._network.delay, self._land)

    def _land(self) -> None:
        """The first that flies has landed: one call for each, and all fly equally long."""
        if self._flying:
            self._arrive(self._via, self._flying.popleft())

    def _arrive(self, via: Via, item: bytes | SessionClosed) -> None:
        if not self._ended():
            self._arrived.append(item if isinstance(item, SessionClosed) else (via, item))
            self._changed.set()


class MemoryCarrier:
    """One end of the two pipes."""

    def __init__(self, network: Network, outwards: _Pipe, inwards: _Pipe) -> None:
        self.max_datagram = network.max_datagram
        self._out = outwards
        self._in = inwards

    async def receive(self) -> tuple[Via, bytes]:
        return await self._in.receive()

    async def send(self, via: Via, data: bytes) -> None:
        if via is Via.DATAGRAM:
            self._out.send_datagram(data)
        else:
            await self._out.send(data)

    async def close(self, code: int, reason: str) -> None:
        self._out.end(code, reason)
        self._in.end(code, reason)

    def abort(self) -> None:
        self._out.cut()
        self._in.cut()


def memory_carriers(network: Network) -> tuple[MemoryCarrier, MemoryCarrier]:
    """Both ends of a connection."""
    there, back = _Pipe(network, network.seed), _Pipe(network, network.seed + 1)
    return MemoryCarrier(network, there, back), MemoryCarrier(network, back, there)


@asynccontextmanager
async def memory_pair(network: Network | None = None) -> AsyncIterator[tuple[Driver, Driver]]:
    """(client, server), running until the block is left; then the client leaves with NORMAL."""
    network = network or Network()
    ours, theirs = memory_carriers(network)
    info = SessionInfo(
        id=uuid4(), transport=TransportKind.MEMORY, peer=("memory", 0), origin=None, path=""
    )
    client = Driver(ours, info, Role.CLIENT)
    server = Driver(theirs, info, Role.SERVER)
    # Not a TaskGroup: what the block raises should come out as it is, not in a group.
    running = asyncio.gather(client.run(), server.run())
    try:
        yield client, server
    finally:
        client.close(CloseCode.NORMAL)
        server.close(CloseCode.GOING_AWAY)
        await running
