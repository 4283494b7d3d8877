"""One peer over one network: shoppers and agents talk at each other, and both sides are read.

    outcome = await exchange(peer, network, load, on_progress)

What holds always: the server and both workers have ended when it returns or raises; what the link
counted is from the first message to the last, without connecting.
May import: network, base, process.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from bench.network import Network, Stats
from bench.peers.base import Peer, Plan, Reading, Side, Site
from bench.peers.crew import Crew, crew

DRAIN = 15.0
"""Seconds past the expected end that the last messages may take; then they are missing."""
POLL = 0.1

OnProgress = Callable[[int], None]


class Load(Struct, frozen=True, kw_only=True):
    """Per direction: so many `sessions`, each of which sends `messages` at `rate` a second, after
    `warm_up` messages that do not count."""

    sessions: int = 20
    messages: int = 100
    warm_up: int = 4
    rate: float = 4.0
    size: int = 120
    seed: int = 1

    @property
    def sent(self) -> int:
        """Messages of one direction, those of the warm-up included."""
        return self.sessions * (self.messages + self.warm_up)


class Outcome(Struct, frozen=True):
    """What came out. `up` is from shopper to agent. Delays in milliseconds, sorted."""

    up: tuple[float, ...]
    down: tuple[float, ...]
    missing_up: int
    missing_down: int
    exchanged: int
    """All messages of both directions while the link was counted, warm-up included."""
    link: Stats


async def exchange(peer: Peer, network: Network, load: Load, on_progress: OnProgress) -> Outcome:
    """Run it. `on_progress` is told how many messages have come in so far. Raises PeerError."""
    if peer.congestion is not None:
        for place in (network.client, network.server):
            place.congestion(peer.congestion)
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as name:
        folder = Path(name)
        async with peer.serve(network, folder, load.sessions) as site:
            return await _talk(peer, network, load, site, folder, on_progress)


async def _talk(
    peer: Peer,
    network: Network,
    load: Load,
    site: Site,
    folder: Path,
    on_progress: OnProgress,
) -> Outcome:
    agent, shopper = (_plan(peer, side, site, load) for side in ("agent", "shopper"))
    async with crew(network.server, peer.worker(), agent, folder) as agents:
        # First, because a relay keeps nothing for who comes later.
        await agents.until("joined")
        async with crew(network.client, peer.worker(), shopper, folder) as shoppers:
            both = (shoppers, agents)
            for one in both:
                await one.until("ready")
            before = network.link.stats()
            for one in both:
                one.tell("go")
            await _arrived(both, load, on_progress)
            link = network.link.stats() - before
            for one in both:
                one.tell("stop")
            said, heard = [await one.reading() for one in both]
    return _outcome(said, heard, load, link)


def _plan(peer: Peer, side: Side, site: Site, load: Load) -> Plan:
    return Plan(
        peer=peer.name,
        side=side,
        site=site,
        sessions=load.sessions,
        messages=load.messages + load.warm_up,
        rate=load.rate,
        size=load.size,
        seed=load.seed + (side == "agent"),
    )


async def _arrived(both: Sequence[Crew], load: Load, on_progress: OnProgress) -> None:
    """Wait until all is there, or nothing more is to be expected."""
    loop = asyncio.get_running_loop()
    end = loop.time() + (load.messages + load.warm_up + 1) / load.rate * 1.2 + DRAIN
    while loop.time() < end and any(one.received < load.sent for one in both):
        await asyncio.sleep(POLL)
        for one in both:
            one.check()
        on_progress(sum(min(one.received, load.sent) for one in both))


def _outcome(shopper: Reading, agent: Reading, load: Load, link: Stats) -> Outcome:
    up, missing_up = _delays(shopper, agent, load)
    down, missing_down = _delays(agent, shopper, load)
    return Outcome(up, down, missing_up, missing_down, 2 * load.sent, link)


def _delays(sender: Reading, receiver: Reading, load: Load) -> tuple[tuple[float, ...], int]:
    """Milliseconds from one side to the other, and how many messages did not come."""
    counted = {key: at for key, at in sender.sent.items() if int(key.split("-")[1]) > load.warm_up}
    came = [
        (receiver.received[key] - at) / 1e6
        for key, at in counted.items()
        if key in receiver.received
    ]
    return tuple(sorted(came)), len(counted) - len(came)
