"""A UDP relay whose every packet to the server leaves from another port: the worst NAT there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any


class _Front(asyncio.DatagramProtocol):
    """Where the client sends to."""

    def __init__(self) -> None:
        self.client: Any = None
        self.backs: list[asyncio.DatagramTransport] = []
        self.wanders = False
        self.used: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def start(self) -> None:
        self._next = cycle(range(len(self.backs)))

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.client = address
        number = next(self._next) if self.wanders else 0
        self.used.add(number)
        self.backs[number].sendto(data)


class _Back(asyncio.DatagramProtocol):
    """One of the ports it leaves from."""

    def __init__(self, front: _Front) -> None:
        self._front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._front.backs.append(transport)  # type: ignore[arg-type]

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._front.transport.sendto(data, self._front.client)


@asynccontextmanager
async def wandering(port: int, ports: int) -> AsyncIterator[tuple[_Front, int]]:
    """The relay in front of 127.0.0.1:`port`, and where it listens."""
    loop = asyncio.get_running_loop()
    _, front = await loop.create_datagram_endpoint(_Front, local_addr=("127.0.0.1", 0))
    try:
        for _ in range(ports):
            await loop.create_datagram_endpoint(
                lambda: _Back(front), remote_addr=("127.0.0.1", port)
            )
        front.start()
        yield front, front.transport.get_extra_info("sockname")[1]
    finally:
        for transport in (front.transport, *front.backs):
            transport.close()
        await asyncio.sleep(0)
