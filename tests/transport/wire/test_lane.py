"""The lane over a link that loses, doubles and reorders datagrams: exactly once, in order."""

from __future__ import annotations

import random
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.errors import CloseCode, RemoteProtocolError
from transport.wire import hedge, lane, varint
from transport.wire.codec import MAX_FRAME
from transport.wire.lane import Counters, LaneReceiver, Via
from transport.wire.sender import LaneSender

sends = st.lists(
    st.tuples(
        st.integers(0, 40),  # ms since the send before
        st.sampled_from([None, b"a", b"b", b"c"]),  # flow
        st.booleans(),  # hedge
    ),
    max_size=40,
)
weather = st.lists(st.sampled_from([(200, 0, 0), (20, 2, 2), (40, 20, 4)]), max_size=10)
"""What a peer reports before each send: (datagrams, lost, runs), clean to bursts."""


def deliver(
    plan: list[tuple[int, bytes | None, bool]],
    seed: int,
    loss: float,
    reports: list[tuple[int, int, int]] | None = None,
) -> tuple[list[bytes], LaneSender, Counters]:
    """Run `plan` through a lane with 100 ms one way, jitter and loss; frames in order of arrival.

    The stream is what QUIC gives: whole and in order, but a lost piece comes 200 ms late and
    holds back what follows it. `reports` make the sender hedge in all kinds of ways.
    """
    dice = random.Random(seed)
    counters = Counters()
    sender = LaneSender(1200, counters)
    flying: list[tuple[float, int, Via, bytes]] = []
    stream_at = now = 0.0
    order = 0
    told = (0, 0, 0)

    def fly(packets: list[lane.Packet]) -> None:
        nonlocal stream_at, order
        for via, data in packets:
            order += 1
            late = now + 0.1 + dice.random() * 0.05
            lost = dice.random() < loss
            if via is Via.STREAM:
                stream_at = max(stream_at, late + (0.2 if lost else 0))
                flying.append((stream_at, order, via, data))
            elif not lost:
                flying.append((late, order, via, data))
                if dice.random() < 0.1:
                    flying.append((late + dice.random(), order, via, data))

    for number, (wait, flow, hedged) in enumerate(plan):
        until = now + wait / 1000
        while (due := sender.next_timer()) is not None and due <= until:
            now = max(now, due)
            fly(sender.poll(now))
        now = until
        if reports and number % 4 == 3:
            news = reports.pop()
            for _ in range(news[0]):
                sender.send_ephemeral(b"")
            sender.poll(now)  # These get lost, all of them.
            told = tuple(map(add, told, news))
            assert sender.report(*told, now)
        sender.send(b"%d" % number, flow=flow, hedge=hedged)
    while (due := sender.next_timer()) is not None:
        now = max(now, due)
        fly(sender.poll(now))

    receiver = LaneReceiver(counters)
    got: list[bytes] = []
    for at, _, via, data in sorted(flying, key=lambda flight: flight[:2]):
        if via is Via.STREAM:
            got += receiver.receive_stream(data)
        else:
            got += receiver.receive_datagram(data, at)
    assert not receiver._waiting
    assert not receiver._blocked
    return got, sender, counters


@given(sends, st.integers(0, 2**16), st.sampled_from([0.0, 0.1, 0.5, 0.95]), weather)
@settings(max_examples=300, deadline=None)
def test_every_frame_comes_exactly_once_and_in_the_order_of_its_flow(
    plan: list[tuple[int, bytes | None, bool]],
    seed: int,
    loss: float,
    reports: list[tuple[int, int, int]],
) -> None:
    got, sender, _ = deliver(plan, seed, loss, reports)
    assert sorted(got, key=int) == [b"%d" % n for n in range(len(plan))]
    for wanted in (b"a", b"b", b"c"):
        of_flow = [n for n in map(int, got) if plan[n][1] == wanted]
        assert of_flow == sorted(of_flow)
    assert not got or got[0] == b"0"
    assert sender.queued == 0


def test_hedging_hides_most_losses() -> None:
    plan = [(50, b"a", True)] * 200
    _, _, counters = deliver(plan, seed=7, loss=0.1)
    # Eight datagrams, each lost one time in ten: more come by the stream first only because it goes
    # second and jitter exceeds the gaps.
    assert counters.first_by_datagram >= 130


def test_flows_past_the_bound_keep_their_order() -> None:
    plan = [(n % 2, b"%d" % (n % 4999 if n % 3 else 0), True) for n in range(6000)]
    got, sender, _ = deliver(plan, seed=3, loss=0.3)
    assert sorted(map(int, got)) == list(range(6000))
    assert len(sender._flows) <= 2 * lane.WINDOW
    last: dict[bytes | None, int] = {}
    for number in map(int, got):
        flow = plan[number][1]
        assert last.get(flow, -1) < number
        last[flow] = number


def test_what_the_receiver_remembers_is_bounded() -> None:
    counters = Counters()
    receiver = LaneReceiver(counters)
    for number in range(2, 5000):
        header = varint.encode(number) * 2 + varint.encode(1)
        list(receiver.receive_datagram(header + b"x", 0.0))
    assert len(receiver._waiting) <= lane.WINDOW
    assert counters.dropped == 5000 - 2 - (lane.WINDOW - 1)


def test_a_record_over_the_limit_is_refused_before_it_is_buffered() -> None:
    receiver = LaneReceiver(Counters())
    with pytest.raises(RemoteProtocolError) as caught:
        list(receiver.receive_stream(varint.encode(MAX_FRAME + 1)))
    assert caught.value.code == CloseCode.FRAME_TOO_LARGE


@given(st.lists(st.binary(max_size=200), max_size=20), st.data())
def test_the_stream_may_come_in_any_pieces(frames: list[bytes], data: st.DataObject) -> None:
    receiver = LaneReceiver(Counters())
    stream = b"".join(varint.encode(len(frame)) + frame for frame in frames)
    got: list[bytes] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += receiver.receive_stream(stream[:cut])
        stream = stream[cut:]
    assert got == frames


@given(weather, st.lists(st.floats(0, 0.2), max_size=60))
def test_no_poll_hands_out_two_copies_of_one_frame(
    reports: list[tuple[int, int, int]], waits: list[float]
) -> None:
    sender, now, told = LaneSender(1200, Counters()), 0.0, (0, 0, 0)
    for number, wait in enumerate([*waits, *[10.0] * 40]):  # At the end a loop that stalls.
        if number < len(waits):
            sender.send(b"frame %3d" % number, flow=b"a", hedge=True)
        if reports:
            told = tuple(map(add, told, reports.pop()))
            for _ in range(told[0]):
                sender.send_ephemeral(b"")
            sender.poll(now)
            sender.report(*told, now)
        frames = [packet.data[-9:] for packet in sender.poll(now) if b"frame" in packet.data]
        assert len(frames) == len(set(frames))
        now += wait
    assert sender.next_timer() is None
    assert sender.queued == 0


def test_a_stalled_stream_copy_and_a_probe_do_not_meet_in_one_poll() -> None:
    sender = LaneSender(1200, Counters())
    for _ in range(200):
        sender.send_ephemeral(b"")
    sender.poll(0.0)
    sender.send(b"hedged", flow=None, hedge=True)  # Its record is due at 5 ms.
    sender.poll(0.0)
    assert sender.report(200, 0, 0, 0.0)
    for _ in range(hedge.PROBE):  # The last is probed; all of them wait for the record before.
        sender.send(b"probed", flow=None, hedge=True)
    assert sender.poll(0.0) == []
    first = sender.poll(0.015)  # The probe is due as well.
    assert [via for via, _ in first] == [Via.STREAM] * 5
    later = [sender.poll(0.015 + n * hedge.GAP) for n in range(1, 20)]
    datagrams = [data[-6:] for poll in later for _, data in poll]
    assert datagrams.count(b"probed") == 1
    assert datagrams.count(b"hedged") == 7


def test_over_the_budget_frames_go_by_the_stream_at_once() -> None:
    counters = Counters()
    sender = LaneSender(1200, counters)
    for _ in range(100):
        sender.send(b"x" * 1000, flow=None, hedge=True)
    while (due := sender.next_timer()) is not None:
        sender.poll(due)
    sent = counters.copies_sent * 1000
    assert 0.9 * hedge.BUDGET_BURST < sent <= hedge.BUDGET_BURST
    assert counters.copies_unpaid == 800 - counters.copies_sent
    sender.send(b"x" * 1000, flow=None, hedge=True)
    assert [via for via, _ in sender.poll(0.1)] == [Via.DATAGRAM]  # It has grown again.
    sender.send(b"x" * 1000, flow=None, hedge=False)


def test_a_session_without_datagrams_carries_nothing_for_them() -> None:
    counters = Counters()
    assert LaneSender(0, counters)._hedging is None
    receiver = LaneReceiver(counters)
    list(receiver.receive_stream(b"\x01x"))
    assert receiver.meter is None
    assert counters.copies == 0


def test_an_ephemeral_frame_that_does_not_fit_a_datagram_is_dropped() -> None:
    counters = Counters()
    sender = LaneSender(30, counters)
    assert sender.send_ephemeral(b"x" * 20)
    assert not sender.send_ephemeral(b"x" * 21)
    assert len(sender.poll(0)) == 1
    assert counters.frames_sent == 1
