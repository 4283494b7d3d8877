"""One end of a link between two regions: `python -m bench.load.region`, an order on its stdin.

It says "joined" when it listens, or when its link is up. At "go" it sends, for as long as it was
told, and notes when each message left and when each of the other side came; at "stop" it tells.

What holds always: a message says its number; both ends read the same clock, that of the machine.
May import: network's kernel, transport's links.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from random import Random

import msgspec
import structlog
import uvloop
from msgspec import Struct

from bench.network.kernel import be_punctual
from transport.links.base import Link, LinkFull, LinkStats, Way
from transport.links.credentials import Credentials
from transport.links.dial import Target
from transport.links.dialler import Dialler
from transport.links.listener import Listener

CONVERSATIONS = 50
"""Keys that messages are spread over."""


class Order(Struct, frozen=True, kw_only=True):
    """`host` None: listen; else dial there. `folder` has the certificates."""

    folder: str
    port: int
    host: str | None = None
    target: str = ""
    way: Way = Way.QUIC
    rate: float
    seconds: float
    size: int
    seed: int


class Told(Struct, frozen=True, kw_only=True):
    """When which message left and came, in ns; both by number."""

    sent: dict[int, int]
    received: dict[int, int]
    doubled: int
    stats: LinkStats
    cpu: float
    """Seconds of processor since "go"."""


class Region:
    """One end."""

    def __init__(self, order: Order, words: asyncio.StreamReader) -> None:
        self._order = order
        self._words = words
        self._random = Random(order.seed)
        self._sent: dict[int, int] = {}
        self._received: dict[int, int] = {}
        self._doubled = 0
        self._up: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def run(self) -> Told:
        """Until we are told to stop."""
        order = self._order
        credentials = Credentials(Path(order.folder))
        if order.host is None:
            listener = Listener(credentials, self._serve)
            async with listener.listening("0.0.0.0", order.port):
                return await self._work(at_once=True)
        dialler = Dialler(
            Target(order.target, order.host, order.port),
            credentials,
            self._serve,
            ways=(order.way,),
        )
        running = asyncio.ensure_future(dialler.run())
        try:
            return await self._work(at_once=False)
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def _work(self, *, at_once: bool) -> Told:
        if not at_once:
            await self._up
        print("joined", flush=True)
        await self._words.readline()
        link = await self._up
        began = time.process_time()
        gc.disable()  # A collection would be somebody's delay.
        sending = asyncio.ensure_future(self._send(link))
        await self._words.readline()
        await sending
        cpu = time.process_time() - began
        return Told(
            sent=self._sent,
            received=self._received,
            doubled=self._doubled,
            stats=link.stats,
            cpu=cpu,
        )

    async def _serve(self, link: Link) -> None:
        if not self._up.done():
            self._up.set_result(link)
        while True:
            message = await link.receive()
            now = time.monotonic_ns()
            number = int(message.data[:8])
            self._doubled += number in self._received
            self._received.setdefault(number, now)

    async def _send(self, link: Link) -> None:
        order, loop = self._order, asyncio.get_running_loop()
        due = loop.time()
        end = due + order.seconds
        number = 0
        while due < end:
            due += self._random.uniform(0.5, 1.5) / order.rate
            await asyncio.sleep(due - loop.time())
            key = b"conversation %d" % self._random.randrange(CONVERSATIONS)
            self._sent[number] = time.monotonic_ns()
            try:
                link.send(key, b"%08d" % number + b"x" * (order.size - 8))
            except LinkFull:
                await link.drained()
                link.send(key, b"%08d" % number + b"x" * (order.size - 8))
            number += 1


async def main() -> None:
    """See above."""
    be_punctual()  # Two hosts and what lies between share this machine.
    words = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    order = msgspec.json.decode(await words.readline(), type=Order)
    told = await Region(order, words).run()
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main())
