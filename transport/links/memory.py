"""Two links joined in memory, for tests of what is above: real machine, and a network that obeys.

May import: link, base, transport.memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from transport.errors import CloseCode
from transport.links.base import LinkInfo, Way
from transport.links.link import LinkEnd
from transport.memory import Network, memory_carriers


@asynccontextmanager
async def link_pair(
    network: Network | None = None, regions: tuple[str, str] = ("here", "there")
) -> AsyncIterator[tuple[LinkEnd, LinkEnd]]:
    """(the dialler's end, in the first region; the listener's), live until the block is left."""
    network = network or Network()
    carriers = memory_carriers(network)
    peers = (regions[1], regions[0])
    here, there = (
        LinkEnd(carrier, LinkInfo(region=peer, way=Way.MEMORY, peer=("memory", 0), dialled=dials))
        for carrier, peer, dials in zip(carriers, peers, (True, False), strict=True)
    )
    # Not a TaskGroup: what the block raises should come out as it is, not in a group.
    running = asyncio.gather(here.run(), there.run())
    try:
        await here.greeted()
        here.begin()
        await there.live()
        yield here, there
    finally:
        here.close(CloseCode.NORMAL)
        there.close(CloseCode.GOING_AWAY)
        await running
