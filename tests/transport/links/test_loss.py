"""Links over a network that loses packets: nothing lost, doubled, or out of order in its key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from tests.transport.links.support import PATIENCE, joined, take
from transport.errors import CloseCode, SessionClosed
from transport.links.base import Link, LinkFull, Message, Way

COUNT = 2_500
KEYS = 60


async def pour(link: Link, count: int, seed: int) -> None:
    """Many messages a second, of all sizes, waiting only when the link is full."""
    random = Random(seed)
    for number in range(count):
        size = random.choice((10, 100, 300, 1_500)) if number % 100 else 40_000
        key, data = b"%d" % random.randrange(KEYS), b"%08d" % number + b"x" * size
        try:
            link.send(key, data)
        except LinkFull:
            await link.drained()
            link.send(key, data)
        if number % 25 == 24:
            await asyncio.sleep(0.005)


def check(messages: list[Message], count: int) -> None:
    numbers = [int(message.data[:8]) for message in messages]
    assert sorted(numbers) == list(range(count)), "each once"
    keys = defaultdict(list)
    for message, number in zip(messages, numbers, strict=True):
        keys[message.key].append(number)
    assert all(found == sorted(found) for found in keys.values()), "each key in order"


@pytest.mark.parametrize("loss", [0.0, 0.03, 0.15])
async def test_thousands_both_ways(tmp_path: Path, loss: float) -> None:
    async with joined(tmp_path, Way.QUIC) as (here, there, relay):
        relay.loss = loss
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pour(here, COUNT, 1))
            tasks.create_task(pour(there, COUNT, 2))
            up = tasks.create_task(take(there, COUNT, 60))
            down = tasks.create_task(take(here, COUNT, 60))
        check(up.result(), COUNT)
        check(down.result(), COUNT)
        if loss:
            assert relay.lost > 10
            assert here.stats.loss is not None
            assert here.stats.copies_useful > 0


async def test_a_loss_delays_its_own_key_only(tmp_path: Path) -> None:
    """What the stream lost is waited for by nobody: copies bring the others."""
    async with joined(tmp_path, Way.QUIC) as (here, there, relay):
        relay.loss = 0.1
        for number in range(300):
            here.send(b"%d" % number, b"%08d" % number)
            await asyncio.sleep(0.002)
        numbers = [int(message.data) for message in await take(there, 300)]
        assert sorted(numbers) == list(range(300))
        assert here.stats.copies > 1


async def test_silence_ends_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half open: each end finds out by itself."""
    monkeypatch.setattr("transport.links.machine.HEARTBEAT", 0.2)
    async with joined(tmp_path, Way.QUIC) as (here, there, relay):
        relay.loss = 1.0
        for link in (here, there):
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(SessionClosed) as caught:
                    await link.receive()
            assert caught.value.code == CloseCode.HEARTBEAT_TIMEOUT


async def test_a_short_silence_costs_nothing(tmp_path: Path) -> None:
    async with joined(tmp_path, Way.QUIC) as (here, there, relay):
        here.send(b"k", b"%08d" % 0)
        await take(there, 1)
        relay.loss = 1.0
        for number in range(200):
            here.send(b"%d" % (number % 5), b"%08d" % number)
        await asyncio.sleep(1.0)
        relay.loss = 0.0
        check(await take(there, 200), 200)
