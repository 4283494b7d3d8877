"""Thin flows: what a chat may send, and when, after idling and after losses. The time is ours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from aioquic.quic.events import DatagramFrameReceived
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicSentPacket
from aioquic.tls import Epoch

from tests.transport.support.line import Line
from transport.quic.aio.bounds import MAX_PTO
from transport.quic.congestion import FLOOR, MAX_BURST, ThinCongestionControl, ThinPacer

PACKET = 1_200


def packet(size: int, at: float) -> QuicSentPacket:
    return QuicSentPacket(
        epoch=Epoch.ONE_RTT,
        in_flight=True,
        is_ack_eliciting=True,
        is_crypto_packet=False,
        packet_number=0,
        packet_type=QuicPacketType.ONE_RTT,
        sent_time=at,
        sent_bytes=size,
    )


class Flow:
    """A controller and one round trip after another."""

    def __init__(self) -> None:
        self.control = ThinCongestionControl(max_datagram_size=PACKET)
        self.now = 1.0

    def round(self, packets: int, size: int = PACKET, *, lost: int = 0) -> None:
        sent = [packet(size, self.now) for _ in range(packets)]
        for one in sent:
            self.control.on_packet_sent(packet=one)
        self.now += 0.1
        if lost:
            self.control.on_packets_lost(now=self.now, packets=sent[:lost])
        for one in sent[lost:]:
            self.control.on_packet_acked(now=self.now, packet=one)
        self.now += 0.1

    def fill(self) -> None:
        self.round(self.control.congestion_window // PACKET)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    flow = Flow()
    for _ in range(1_000):
        flow.round(2, 200)
    assert flow.control.congestion_window == FLOOR * PACKET
    assert flow.control.bytes_in_flight == 0


def test_a_window_that_is_filled_doubles_in_slow_start() -> None:
    flow = Flow()
    for factor in (2, 4, 8):
        flow.fill()
        assert flow.control.congestion_window == factor * FLOOR * PACKET


def test_bulk_halves_on_a_loss_and_then_adds_a_packet_a_round() -> None:
    flow = Flow()
    for _ in range(3):
        flow.fill()
    before = flow.control.congestion_window
    flow.round(before // PACKET, lost=2)
    halved = flow.control.congestion_window
    assert halved == before // 2
    for _ in range(5):
        flow.fill()
    assert halved + 4 * PACKET <= flow.control.congestion_window <= halved + 6 * PACKET


def test_bulk_falls_to_the_floor_on_persistent_congestion() -> None:
    flow = Flow()
    flow.fill()
    flow.fill()
    flow.control.on_persistent_congestion()
    assert flow.control.congestion_window == FLOOR * PACKET


def test_bulk_that_loses_again_and_again_goes_down_to_the_floor() -> None:
    flow = Flow()
    for _ in range(10):
        flow.round(max(1, flow.control.congestion_window // PACKET), lost=1)
    assert flow.control.congestion_window == FLOOR * PACKET


def test_a_thin_flow_keeps_its_initial_window_whatever_it_loses() -> None:
    flow = Flow()
    for _ in range(20):
        flow.round(3, 300, lost=3)
    flow.control.on_persistent_congestion()
    assert flow.control.congestion_window == FLOOR * PACKET


def test_a_loss_never_widens_a_window() -> None:
    flow = Flow()
    flow.control.congestion_window = 4 * PACKET
    flow.round(1, 100, lost=1)
    assert flow.control.congestion_window == 4 * PACKET


@pytest.mark.parametrize(("window", "burst"), [(2, FLOOR), (10, FLOOR), (400, MAX_BURST)])
def test_the_pacer_lets_a_burst_go_and_then_spreads(window: int, burst: int) -> None:
    pacer = ThinPacer(max_datagram_size=PACKET)
    pacer.update_rate(window * PACKET, 0.3)
    gone = 0
    while pacer.next_send_time(now=100.0) is None:
        pacer.update_after_send(now=100.0)
        gone += 1
    assert burst <= gone <= burst + 1
    waits = pacer.next_send_time(now=100.0)
    assert waits is not None
    assert waits - 100.0 == pytest.approx(0.3 / window)


def test_no_small_packet_of_the_initial_window_waits(tmp_path: Path) -> None:
    """aioquic's own pacing holds the third back for 30 ms at 300 ms of round trip."""
    line = Line(tmp_path, delay=0.15)
    line.packets()
    for number in range(FLOOR):
        line.client.send_datagram_frame(b"message %d" % number)
        line.flush()
    assert line.packets()[0] == FLOOR


def test_after_a_loss_episode_a_message_goes_out_at_once(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=0.1)
    line.cut = {line.client}
    for number in range(5):
        line.client.send_datagram_frame(b"lost %d" % number)
        line.run(0.4)
    line.cut = set()
    line.packets()
    start = line.now
    line.client.send_datagram_frame(b"new")
    line.flush()
    assert line.sent[line.client] == [start]
    line.run(0.11)
    last = [e for e in line.events[line.server] if isinstance(e, DatagramFrameReceived)][-1]
    assert last.data == b"new"
    assert line.client._loss.congestion_window >= FLOOR * PACKET


def test_after_idling_a_message_goes_out_at_once(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=0.1)
    line.run(50)
    line.packets()
    line.client.send_datagram_frame(b"hello again")
    line.flush()
    assert line.packets()[0] == 1


def test_probes_never_come_further_apart_than_the_cap(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=0.15)
    line.cut = {line.client, line.server}
    line.packets()
    line.client.send_stream_data(0, b"into the tunnel")
    line.run(40)
    sent = line.sent[line.client]
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert len(sent) > 40 / MAX_PTO
    assert max(gaps) <= MAX_PTO + 0.01
    assert gaps[1] >= 1.5 * gaps[0], "it still backs off at first"


def test_a_lost_datagram_is_probed_for_and_not_repeated(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=0.1)
    line.cut = {line.client}
    line.client.send_datagram_frame(b"lost")
    line.run(0.05)
    line.cut = set()
    line.packets()
    line.run(3)
    assert line.packets()[0] == 1
    assert not [e for e in line.events[line.server] if isinstance(e, DatagramFrameReceived)]
    assert line.client._loss.bytes_in_flight == 0
