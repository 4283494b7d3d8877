"""The lane with several frames in a datagram."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import RemoteProtocolError
from transport.wire import varint
from transport.wire.bundle import BundleReceiver, BundleSender
from transport.wire.hedge import Policy
from transport.wire.lane import Counters, Via

POLICY = Policy(clean=0.0)


def sender(max_datagram: int = 1200) -> BundleSender:
    return BundleSender(max_datagram, Counters(), POLICY)


def test_what_leaves_together_shares_a_datagram() -> None:
    lane = sender()
    for number in range(5):
        lane.send(b"frame %d" % number, flow=b"%d" % number, hedge=True)
    packets = [packet for packet in lane.poll(0.0) if packet.via is Via.DATAGRAM]
    assert len(packets) == 1
    receiver = BundleReceiver(Counters())
    got = list(receiver.receive_datagram(packets[0].data, 0.0))
    assert got == [b"frame %d" % number for number in range(5)]


@pytest.mark.parametrize("max_datagram", [100, 300, 1200])
def test_no_datagram_is_too_large(max_datagram: int) -> None:
    lane, random = sender(max_datagram), Random(1)
    for number in range(400):
        lane.send(bytes(random.randrange(max_datagram)), flow=b"%d" % number, hedge=True)
        lane.send_ephemeral(bytes(random.randrange(50)))
        for packet in lane.poll(number * 0.005):
            assert packet.via is Via.STREAM or len(packet.data) <= max_datagram


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.4])
def test_each_once_and_in_the_order_of_its_flow(loss: float) -> None:
    lane, receiver, random = sender(), BundleReceiver(Counters()), Random(2)
    lane.send(b"first", flow=None, hedge=True)
    got: list[bytes] = []
    sent: dict[bytes, list[bytes]] = {}
    stream: list[tuple[float, bytes]] = []
    now = 0.0
    for step in range(1200):
        now = step * 0.001
        if step < 1000:
            flow = b"%d" % random.randrange(10)
            frame = flow + b" %d" % step
            sent.setdefault(flow, []).append(frame)
            lane.send(frame, flow=flow, hedge=True)
        for via, data in lane.poll(now):
            if via is Via.STREAM:
                stream.append((now + 0.2, data))
            elif random.random() >= loss:
                got += receiver.receive_datagram(data, now)
        while stream and stream[0][0] <= now:
            got += receiver.receive_stream(stream.pop(0)[1])
    for _, data in stream:
        got += receiver.receive_stream(data)
    assert got[0] == b"first"
    for flow, frames in sent.items():
        assert [frame for frame in got[1:] if frame.split()[0] == flow] == frames
    assert len(got) == 1001


def test_loss_is_counted_by_what_is_lost_together() -> None:
    """Half the datagrams, each with several frames: no bursts, whatever is in them."""
    lane, receiver = sender(), BundleReceiver(Counters())
    count = 0
    for step in range(2000):
        for number in range(3):
            lane.send(b"x" * 50, flow=b"%d" % number, hedge=True)
        for packet in lane.poll(step * 0.01):
            if packet.via is Via.DATAGRAM:
                count += 1
                if count % 2:
                    list(receiver.receive_datagram(packet.data, step * 0.01))
    meter = receiver.meter
    assert meter is not None
    assert meter.lost == meter.runs
    assert abs(meter.lost - meter.upto / 2) <= 1


@given(st.binary(max_size=80))
def test_whatever_comes_is_taken_or_a_fault(data: bytes) -> None:
    receiver = BundleReceiver(Counters())
    try:
        list(receiver.receive_datagram(data, 0.0))
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    "part",
    [
        varint.encode(1) + varint.encode(0) + varint.encode(5) + b"four",
        varint.encode(3) + varint.encode(3) + varint.encode(0),
        varint.encode(0) + varint.encode(1) + varint.encode(0),
        varint.encode(1) + varint.encode(0),
    ],
)
def test_parts_that_cannot_be(part: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(BundleReceiver(Counters()).receive_datagram(varint.encode(1) + part, 0.0))
