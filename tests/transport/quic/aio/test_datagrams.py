"""Bounds of datagrams, in memory."""

from __future__ import annotations

import pytest
from aioquic.quic.events import DatagramFrameReceived

from tests.transport.support.pair import Pair
from transport.quic.aio.bounds import QUEUED_DATAGRAMS
from transport.quic.aio.http3 import Http3


@pytest.mark.parametrize("size", [1, 1168, 1169])
def test_largest_datagram_passes(pair: Pair, size: int) -> None:
    assert pair.client.datagram_room(0) == 1169
    Http3(pair.client).send_datagram(0, bytes(size))
    pair.exchange()
    assert any(isinstance(event, DatagramFrameReceived) for event in pair.events[pair.server])


def test_oversized_datagram_does_not_jam_the_others(pair: Pair) -> None:
    pair.client.send_datagram_frame(bytes(1190))
    pair.client.send_datagram_frame(b"small")
    pair.exchange()
    got = [e.data for e in pair.events[pair.server] if isinstance(e, DatagramFrameReceived)]
    assert got == [b"small"]
    assert pair.client.datagrams_dropped == 1


def test_queue_of_datagrams_drops_the_oldest(pair: Pair) -> None:
    for number in range(QUEUED_DATAGRAMS + 2):
        pair.client.send_datagram_frame(b"%d" % number)
    assert pair.client.datagrams_dropped == 2
    pair.exchange()
    got = [e.data for e in pair.events[pair.server] if isinstance(e, DatagramFrameReceived)]
    assert got[0] == b"2"
    assert len(got) == QUEUED_DATAGRAMS
