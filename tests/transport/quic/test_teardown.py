"""A connection that ends costs the same among thousands as among a few: calls are counted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.transport.support.echo import echo
from transport.quic.endpoint import Endpoint
from transport.quic.packet import Header
from transport.quic.peer import Peer
from transport.tls import Certificates


def settle(endpoint: Endpoint, count: int) -> list[Peer]:
    """As many connections, each from an address of its own, with alarms like living ones."""
    peers = []
    for number in range(count):
        header = Header(version=1, is_initial=True, destination=number.to_bytes(8, "big"))
        address = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 4433)
        peer = endpoint._accept(header, None, address)
        for _ in range(6):
            endpoint.issued(peer, peer.quic._new_id(8))
        peer._alarm.arm(asyncio.get_running_loop().time() + 30 + number / 1000)
        peers.append(peer)
    return peers


def calls_of(action: Any) -> int:
    """Calls, of Python and of C, that an action makes."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


async def cost(folder: Path, count: int) -> int:
    async with asyncio.TaskGroup() as tasks:
        endpoint = Endpoint(echo, Certificates.development(folder), tasks, {})
        peers = settle(endpoint, count)
        spent = calls_of(peers[count // 2].drop)
        assert endpoint.stats()["quic_connections"] == count - 1
        assert endpoint.stats()["quic_connection_ids"] == (count - 1) * 8
        for peer in peers:
            peer.drop()
        assert endpoint.stats()["quic_connection_ids"] == 0
    return spent


async def test_the_end_of_one_costs_the_same_among_five_thousand(tmp_path: Path) -> None:
    few, many = await cost(tmp_path, 50), await cost(tmp_path, 5_000)
    assert 0 < many <= few + 2
