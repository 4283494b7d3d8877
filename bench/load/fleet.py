"""Several load generators as one: each a process, so that the load is not bound to one core.

    async with fleet(server, processes=2) as load:
        await load.open(quic=1000, websocket=1000)
        chatted = await load.chat(per_second=20, seconds=10, senders=20)

What holds always: when the block is left every generator has ended.
May import: house, orders, meter; options.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from bench.load import meter
from bench.load.house import House, mortal
from bench.load.ledger import Verdict
from bench.load.orders import (
    Answer,
    Chat,
    Chatted,
    Cycle,
    Cycled,
    Leave,
    Look,
    Open,
    Order,
    Setup,
    State,
    Verified,
    Verify,
)
from bench.options import BenchError

SOURCES = 4_000
"""Loopback addresses of each generator."""
MAX_LINE = 1 << 26
"""Bytes of an answer at most: the delays of a chat."""

A = TypeVar("A", State, Chatted, Verified, Cycled)


class FleetError(BenchError):
    """A generator ended, or answered what it was not asked."""


class Fleet:
    """Orders are split evenly; answers are added up."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def open(self, *, quic: int = 0, websocket: int = 0) -> State:
        """Open so many more sessions."""
        many = len(self._processes)
        shares = zip(_split(quic, many), _split(websocket, many), strict=True)
        return _state(await self._all([Open(q, w) for q, w in shares], State))

    async def chat(
        self, *, per_second: float, seconds: float, senders: int, patience: float = 5.0
    ) -> Chatted:
        """Chat, see `Chat`."""
        many = len(self._processes)
        orders = [
            Chat(per_second / many, seconds, share, patience) for share in _split(senders, many)
        ]
        parts = await self._all(orders, Chatted)
        return Chatted(
            sum(part.sent for part in parts),
            sorted(delay for part in parts for delay in part.delays),
            _added(part.refusals for part in parts),
            sum(part.late for part in parts),
        )

    async def verify(self) -> Verified:
        """Compare the log with what was sent and told."""
        parts = await self._all([Verify()] * len(self._processes), Verified)
        verdict = sum((part.verdict for part in parts), Verdict())
        return Verified(verdict, sum(part.unread for part in parts))

    async def cycle(self, kind: str, cycles: int) -> Cycled:
        """Connect, chat, leave, so many times."""
        orders = [Cycle(kind, share) for share in _split(cycles, len(self._processes))]
        parts = await self._all(orders, Cycled)
        return Cycled(sum(part.done for part in parts), _added(part.why for part in parts))

    async def look(self) -> State:
        """How things are."""
        return _state(await self._all([Look()] * len(self._processes), State))

    async def leave(self) -> None:
        """Close every session."""
        await self._all([Leave()] * len(self._processes), State)

    def usage(self) -> meter.Usage:
        """What the generators take."""
        return sum((meter.usage(process.pid) for process in self._processes), meter.Usage())

    async def _all(self, orders: Iterable[Order], kind: type[A]) -> list[A]:
        asked = [
            _ask(process, order, kind)
            for process, order in zip(self._processes, orders, strict=True)
        ]
        return await asyncio.gather(*asked)


@asynccontextmanager
async def fleet(server: House, processes: int = 1) -> AsyncIterator[Fleet]:
    """Start generators against a server."""
    running: list[asyncio.subprocess.Process] = []
    try:
        for number in range(processes):
            process = await asyncio.create_subprocess_exec(
                *mortal(None, sys.executable, "-m", "bench.load.generator"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE,
            )
            running.append(process)
            setup = Setup(
                server.address, server.port, server.http_port, server.name, number * SOURCES
            )
            _tell(process, setup)
        yield Fleet(running)
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _tell(process: asyncio.subprocess.Process, order: Order) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")


async def _ask(process: asyncio.subprocess.Process, order: Order, kind: type[A]) -> A:
    assert process.stdout is not None
    _tell(process, order)
    line = await process.stdout.readline()
    if not line:
        raise FleetError("a load generator ended; its last words are on the terminal")
    answer: Answer = msgspec.json.decode(line, type=Answer)
    if not isinstance(answer, kind):
        raise FleetError(f"a load generator answered {type(answer).__name__}")
    return answer


def _split(total: int, parts: int) -> list[int]:
    return [total // parts + (number < total % parts) for number in range(parts)]


def _state(parts: list[State]) -> State:
    return State(sum(part.live for part in parts), _added(part.why for part in parts))


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return dict(total)
