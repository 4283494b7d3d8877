"""A UDP road between one client and a server that does what a test tells it to.

It remembers what the client sent, can delay, can be closed (a tunnel), can let through only the
client's first flight, and can leave towards the server from another port (a NAT that forgot).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any


class _End(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Any], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._take(data, address)


class Road:
    """`sent` is what the client sent and the server was given."""

    def __init__(self, port: int) -> None:
        self.sent: list[bytes] = []
        self.tried = 0
        """Packets the client sent, whether or not they passed."""
        self.answers = 0
        self.delay = 0.0
        """Seconds each way."""
        self.closed = False
        self.barred: Any = None
        """The address of the client that nothing passes from or to."""
        self.first_flight_only = False
        self.ports: list[int] = []
        """Those it left from."""
        self.clients: list[Any] = []
        """The addresses the client came from."""
        self._latest: Any = None
        """The one that the server knows of."""
        self._server = ("127.0.0.1", port)
        self._loop = asyncio.get_running_loop()
        self._ends: list[asyncio.DatagramTransport] = []
        self._front: asyncio.DatagramTransport

    async def open(self) -> int:
        """Where the client sends to."""
        self._front, _ = await self._loop.create_datagram_endpoint(
            lambda: _End(self._up), local_addr=("127.0.0.1", 0)
        )
        await self.rebind()
        return int(self._front.get_extra_info("sockname")[1])

    async def rebind(self) -> None:
        """Leave from another port from now on; what comes back to the old one is lost."""
        end, _ = await self._loop.create_datagram_endpoint(
            lambda: _End(self._down), local_addr=("127.0.0.1", 0)
        )
        for old in self._ends:
            old.close()
        self._ends.append(end)
        self.ports.append(int(end.get_extra_info("sockname")[1]))

    def close(self) -> None:
        for end in (self._front, *self._ends):
            end.close()

    def _up(self, data: bytes, address: Any) -> None:
        self.tried += 1
        if address not in self.clients:
            self.clients.append(address)
        if self.closed or address == self.barred or (self.first_flight_only and self.answers):
            return
        self._latest = address
        self.sent.append(data)
        self._loop.call_later(self.delay, self._send, self._ends[-1], data, self._server)

    def _down(self, data: bytes, address: Any) -> None:
        if not self.closed and self._latest != self.barred:
            self.answers += 1
            self._loop.call_later(self.delay, self._send, self._front, data, self._latest)

    def _send(self, end: asyncio.DatagramTransport, data: bytes, address: Any) -> None:
        if not self.closed and not end.is_closing():
            end.sendto(data, address)


@asynccontextmanager
async def road(port: int) -> AsyncIterator[tuple[Road, int]]:
    """A road to 127.0.0.1:`port`, and the port it begins at."""
    way = Road(port)
    try:
        yield way, await way.open()
    finally:
        way.close()
        await asyncio.sleep(0)
