"""A UDP relay in front of a server: it loses packets, by a seeded generator, once it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any


class Relay(asyncio.DatagramProtocol):
    """One client's packets to the server and back. `loss` is the share that gets lost."""

    def __init__(self, server: tuple[str, int], seed: int) -> None:
        self.loss = 0.0
        self.lost = 0
        self._random = Random(seed)
        self._server = server
        self._client: Any = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert self._transport is not None
        back = address == self._server
        if not back:
            self._client = address
        if self._random.random() < self.loss:
            self.lost += 1
        else:
            self._transport.sendto(data, self._client if back else self._server)


@asynccontextmanager
async def lossy(port: int, seed: int = 1) -> AsyncIterator[tuple[Relay, int]]:
    """A relay to 127.0.0.1:`port`, and the port it listens on."""
    loop = asyncio.get_running_loop()
    transport, relay = await loop.create_datagram_endpoint(
        lambda: Relay(("127.0.0.1", port), seed), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)
