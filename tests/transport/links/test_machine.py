"""The machine of a link, without a loop: who says what when, and what a peer may do wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import CloseCode, RemoteProtocolError
from transport.links import frames
from transport.links.base import MAX_KEY, MAX_MESSAGE, Message
from transport.links.frames import Carry, Close, Frame, Hello, Ping, Pong, Report
from transport.links.machine import (
    HEARTBEAT,
    HELLO_DEADLINE,
    POLICY,
    SILENCE,
    TICK,
    LinkMachine,
    State,
)
from transport.wire import varint
from transport.wire.lane import Via

COUNTS = st.integers(0, 2**53)
FRAMES = st.one_of(
    st.builds(Hello, COUNTS),
    st.builds(Carry, st.binary(max_size=MAX_KEY), st.binary(max_size=300)),
    st.builds(Ping, COUNTS),
    st.builds(Pong, COUNTS),
    st.builds(Report, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    st.builds(Close, COUNTS, st.text(max_size=40)),
)


class Two:
    """A dialler and a listener on a clock of the test's own; `lost` says which datagrams go."""

    def __init__(self, max_datagram: int = 1200) -> None:
        self.now = 100.0
        self.here = LinkMachine(self.now, dials=True, max_datagram=max_datagram)
        self.there = LinkMachine(self.now, dials=False, max_datagram=max_datagram)
        self.messages: list[Message] = []

    def run(self, seconds: float, step: float = 0.001) -> None:
        end = self.now + seconds
        while self.now < end:
            self.carry(self.here, self.there)
            self.carry(self.there, self.here)
            self.now += step

    def carry(self, source: LinkMachine, target: LinkMachine) -> None:
        for via, data in source.poll(self.now):
            self.messages += target.receive(via, data, self.now)

    def live(self) -> Two:
        self.run(0.05)
        self.here.begin(self.now)
        self.run(0.05)
        return self


def record(frame: Frame) -> bytes:
    data = frames.encode(frame)
    return varint.encode(len(data)) + data


@given(FRAMES)
def test_frames_come_back_as_they_were(frame: Frame) -> None:
    assert frames.decode(frames.encode(frame)) == frame


@given(st.binary(max_size=100))
def test_whatever_comes_is_a_frame_or_a_fault(data: bytes) -> None:
    try:
        frames.decode(data)
    except RemoteProtocolError:
        pass


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=20))
def test_no_input_raises(pieces: list[tuple[bool, bytes]]) -> None:
    machine = LinkMachine(0.0, dials=False, max_datagram=1200)
    for number, (datagram, data) in enumerate(pieces):
        machine.receive(Via.DATAGRAM if datagram else Via.STREAM, data, float(number))
        machine.poll(float(number))


@pytest.mark.parametrize("max_datagram", [0, 1200])
def test_a_listener_is_live_when_the_dialler_begins(max_datagram: int) -> None:
    two = Two(max_datagram)
    two.run(0.1)
    assert (two.here.state, two.there.state) == (State.GREETED, State.GREETED)
    two.here.begin(two.now)
    two.run(0.1)
    assert (two.here.state, two.there.state) == (State.LIVE, State.LIVE)


def test_messages_before_anything_else_make_it_live() -> None:
    """A message may overtake the ping that begins."""
    machine = LinkMachine(0.0, dials=False, max_datagram=0)
    machine.receive(Via.STREAM, record(Hello(frames.VERSION)), 0.0)
    assert machine.receive(Via.STREAM, record(Carry(b"k", b"d")), 0.0) == [Message(b"k", b"d")]
    assert machine.state is State.LIVE


@pytest.mark.parametrize("max_datagram", [0, 1200])
def test_round_trips_and_reports(max_datagram: int) -> None:
    two = Two(max_datagram).live()
    for number in range(200):
        two.here.send(b"k", b"%d" % number)
        two.run(0.005)
    assert [message.data for message in two.messages] == [b"%d" % n for n in range(200)]
    assert two.here.rtt is not None
    assert 0 <= two.here.rtt <= 0.01
    assert bool(two.here.counters.reports_received) == bool(max_datagram)


def test_packets_are_apart() -> None:
    two = Two().live()
    machine = two.here
    now = two.now
    polled: list[float] = []
    for step in range(200):
        at = now + step * TICK / 4
        machine.send(b"k", b"m")
        if machine.poll(at):
            polled.append(at)
    assert all(later - earlier >= TICK * 0.99 for earlier, later in pairwise(polled))


def test_plans_are_bounded_and_in_order() -> None:
    assert [plan.copies for plan in POLICY.plans] == list(range(1, len(POLICY.plans) + 1))
    for plan in POLICY.plans[1:]:
        assert sum(plan.gaps) <= 0.09
        assert list(plan.gaps) == sorted(plan.gaps)
    for plan in POLICY.plans[2:]:
        assert plan.stream >= 2, "the second copy is a datagram"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([Carry(b"k", b"")], CloseCode.PROTOCOL_ERROR),
        ([Ping(1)], CloseCode.PROTOCOL_ERROR),
        ([Hello(frames.VERSION + 1)], CloseCode.UNSUPPORTED_VERSION),
        ([Hello(frames.VERSION), Hello(frames.VERSION)], CloseCode.PROTOCOL_ERROR),
        ([Close(4000, "bye")], 4000),
    ],
)
def test_what_a_peer_may_not_say(said: list[Frame], code: int) -> None:
    machine = LinkMachine(0.0, dials=False, max_datagram=0)
    for frame in said:
        machine.receive(Via.STREAM, record(frame), 0.0)
    assert machine.closed is not None
    assert machine.closed.code == code


def test_too_large_a_record() -> None:
    machine = LinkMachine(0.0, dials=False, max_datagram=0)
    machine.receive(Via.STREAM, varint.encode(MAX_MESSAGE + 2 * MAX_KEY), 0.0)
    assert machine.closed is not None
    assert machine.closed.code == CloseCode.FRAME_TOO_LARGE


def test_nothing_counts_after_close() -> None:
    machine = LinkMachine(0.0, dials=False, max_datagram=0)
    said = record(Hello(frames.VERSION)) + record(Close(4000, "bye")) + record(Carry(b"k", b"late"))
    assert machine.receive(Via.STREAM, said, 0.0) == []


def test_no_hello_in_time() -> None:
    machine = LinkMachine(0.0, dials=True, max_datagram=0)
    machine.poll(HELLO_DEADLINE - 0.1)
    assert machine.closed is None
    machine.poll(HELLO_DEADLINE)
    assert machine.closed is not None
    assert machine.closed.code == CloseCode.HELLO_TIMEOUT


def test_nobody_begins() -> None:
    """One who says hello and no more is not kept."""
    machine = LinkMachine(0.0, dials=False, max_datagram=0)
    machine.receive(Via.STREAM, record(Hello(frames.VERSION)), 0.0)
    machine.poll(HELLO_DEADLINE)
    assert machine.closed is not None
    assert machine.closed.code == CloseCode.HELLO_TIMEOUT


def test_silence() -> None:
    two = Two().live()
    two.run(3 * SILENCE * HEARTBEAT, 0.05)
    assert two.here.closed is None
    two.here.poll(two.now + SILENCE * HEARTBEAT + 0.1)
    assert two.here.closed is not None
    assert two.here.closed.code == CloseCode.HEARTBEAT_TIMEOUT


def test_who_does_not_read_cannot_tell_silence() -> None:
    two = Two().live()
    two.here.pause()
    two.here.poll(two.now + 100)
    assert two.here.closed is None
    two.here.resume(two.now + 100)
    two.here.poll(two.now + 101)
    assert two.here.closed is None
    two.here.poll(two.now + 101 + SILENCE * HEARTBEAT)
    assert two.here.closed is not None


def test_a_round_trip_that_cannot_be() -> None:
    two = Two(0).live()
    before = two.here.rtt
    for at in (0, 2**53):
        two.here.receive(Via.STREAM, record(Pong(at)), two.now)
    assert two.here.rtt == before
