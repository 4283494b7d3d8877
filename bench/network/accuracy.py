"""How exactly the link does what it was told: its own measurement.

Many flows with few packets each, so that a flow's order does not lengthen its jitter; both ways at
once; then TCP, for what the link carries at all.
May import: the rest of network, save the link itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from msgspec import Struct

from bench.network.commands import Stats
from bench.network.network import Network
from bench.network.place import Place
from bench.network.shape import Shape

FLOWS = 100
GAP = 0.001
"""Seconds between packets: each flow sends one every FLOWS * GAP."""
PORT, TCP_PORT = 5_000, 5_001
LINGER = 0.5
"""Seconds past the longest way, until nothing more comes."""
POUR = 3.0
"""Seconds for which TCP is filled."""
RATE = 10_000_000
"""Bits a second, asked for to see whether they are kept."""


class Way(Struct, frozen=True):
    """One direction, as measured. `delays` in ms, sorted; `burst` None where nothing was lost."""

    sent: int
    delays: tuple[float, ...]
    loss: float
    burst: float | None
    overtaken: float
    """Share of packets that came after a later one of their flow."""


class Accuracy(Struct, frozen=True):
    """What came out; rates in bits a second of payload."""

    up: Way
    down: Way
    link: Stats
    unshaped: float
    at_rate: float


async def measure(up: Shape, down: Shape, packets: int, seed: int, pour: float = POUR) -> Accuracy:
    """Measure. Raises NetworkUnavailable."""
    with Network(up, down, seed) as network:
        before = network.link.stats()
        there, back = await asyncio.gather(
            _probe(network.client, network.server, up, packets),
            _probe(network.server, network.client, down, packets),
        )
        link = network.link.stats() - before
        network.link.shape(Shape(delay=0.001), Shape(delay=0.001))
        unshaped = await _pour(network, pour)
        network.link.shape(Shape(delay=0.001, rate=RATE), Shape(delay=0.001))
        return Accuracy(there, back, link, unshaped, await _pour(network, pour))


async def _probe(sender: Place, receiver: Place, shape: Shape, packets: int) -> Way:
    count = -(-packets // FLOWS)
    ear = await _start(receiver, "receive", str(PORT))
    mouth = ("send", receiver.address, str(PORT), str(FLOWS), str(count), str(GAP))
    await (await _run(sender, *mouth)).wait()
    await asyncio.sleep(shape.delay + shape.jitter + shape.reorder_by + LINGER)
    return _way(await _result(ear), count)


async def _pour(network: Network, seconds: float) -> float:
    ear = await _start(network.server, "drain", str(TCP_PORT))
    mouth = ("pour", network.server.address, str(TCP_PORT), str(seconds))
    await (await _run(network.client, *mouth)).wait()
    total, took = await _result(ear)
    return float(total * 8 / took)


async def _run(place: Place, *argv: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bench.network.probe")
    return await place.spawn(*command, *argv, stdin=pipe, stdout=pipe)


async def _start(place: Place, *argv: str) -> asyncio.subprocess.Process:
    process = await _run(place, *argv)
    assert process.stdout is not None
    await process.stdout.readline()  # "ready"
    return process


async def _result(process: asyncio.subprocess.Process) -> Any:
    printed, _ = await process.communicate(b"enough\n")
    return json.loads(printed)


def _way(seen: list[tuple[int, int, int]], count: int) -> Way:
    sent = FLOWS * count
    came = [bytearray(count) for _ in range(FLOWS)]
    newest = [-1] * FLOWS
    overtaken = 0
    for flow, number, _ in seen:
        came[flow][number] = 1
        overtaken += number < newest[flow]
        newest[flow] = max(newest[flow], number)
    runs = [run for flow in came for run in flow.split(b"\1") if run]
    lost = sum(map(len, runs))
    return Way(
        sent,
        tuple(sorted(delay / 1e6 for _, _, delay in seen)),
        lost / sent,
        lost / len(runs) if runs else None,
        overtaken / sent,
    )
