"""The state machine beyond the golden scripts: its tables, and that no input can break it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.errors import LocalProtocolError, SessionClosed
from transport.wire import codec
from transport.wire.frames import TRAITS, Close, Hello, Ping, Read, Received, Send, Welcome
from transport.wire.lane import Via
from transport.wire.machine import MAX_REASON, MAY_SEND, TRANSITIONS, Machine, Role, State

A = UUID(int=1)
SAMPLES = [
    bytes.fromhex(case["hex"])
    for case in json.loads((Path(__file__).parents[2] / "vectors/frames.json").read_text())["valid"]
]


def test_every_frame_has_its_traits_and_a_sender() -> None:
    sendable = frozenset().union(*MAY_SEND.values())
    assert sendable == set(TRAITS)
    tags = sorted(kind.__struct_config__.tag for kind in TRAITS)
    assert tags == list(range(len(TRAITS)))


def test_transitions_leave_from_states_in_which_the_frame_may_be_sent() -> None:
    for state, kind in TRANSITIONS:
        assert any(kind in MAY_SEND[role, state] for role in Role)


def test_what_one_side_may_send_the_other_takes() -> None:
    client = Machine(Role.CLIENT, 0, max_datagram=None)
    server = Machine(Role.SERVER, 0, max_datagram=None)
    client.send(Hello(1, "t"), 0)
    client.send(Send(A, A, "message"), 0)
    frames = [f for p in client.poll(0) for f in server.receive(p.via, p.data, 0)]
    assert [type(frame) for frame in frames] == [Hello, Send]
    server.send(Welcome(1, A, "v:1", 0, 5000), 0)
    frames = [f for p in server.poll(0) for f in client.receive(p.via, p.data, 0)]
    assert [type(frame) for frame in frames] == [Welcome]
    assert (client.state, server.state) == (State.LIVE, State.LIVE)
    assert client.heartbeat == 5.0


def test_a_message_does_not_wait_for_a_mark_that_was_lost() -> None:
    client = Machine(Role.CLIENT, 0, max_datagram=1200)
    server = Machine(Role.SERVER, 0, max_datagram=1200)
    client.send(Hello(1, "t"), 0)
    now = 0.0
    while now < 0.5:
        for packet in client.poll(now):
            server.receive(packet.via, packet.data, now)
        now += 0.05
    client.send(Received(A, 7), 1)
    client.send(Read(A, 7), 1)
    assert [packet.via for packet in client.poll(1)] == [Via.STREAM, Via.STREAM]  # Both are lost.
    client.send(Send(A, A, "message"), 2)
    [packet] = [packet for packet in client.poll(2) if packet.via is Via.DATAGRAM]
    [frame] = server.receive(packet.via, packet.data, 2)
    assert isinstance(frame, Send)


def test_a_frame_over_the_limit_is_our_own_mistake_and_the_session_lives() -> None:
    machine = Machine(Role.CLIENT, 0, max_datagram=None)
    machine.send(Hello(1, "t"), 0)
    with pytest.raises(LocalProtocolError, match="exceeds"):
        machine.send(Send(A, A, "message", codec.pack({"text": "x" * codec.MAX_FRAME})), 0)
    assert machine.closed is None
    machine.send(Ping(1), 0)


def test_a_frame_over_the_limit_from_the_peer_closes_with_its_own_code() -> None:
    machine = Machine(Role.SERVER, 0, max_datagram=None)
    machine.receive(Via.MESSAGE, b"\x00" * (codec.MAX_FRAME + 1), 0)
    assert machine.closed is not None
    assert machine.closed.code == 4201


def test_after_the_end_every_send_raises_the_same_reason() -> None:
    machine = Machine(Role.CLIENT, 0, max_datagram=None)
    machine.close(1000, "bye", 0)
    for _ in range(2):
        with pytest.raises(SessionClosed, match="1000 bye"):
            machine.send(Ping(1), 0)


def test_a_close_reason_fits_a_websocket_close_frame() -> None:
    machine = Machine(Role.CLIENT, 0, max_datagram=None)
    machine.close(4200, "語" * 200, 0)
    (packet,) = machine.poll(0)
    frame = codec.decode(packet.data)
    assert isinstance(frame, Close)
    assert len(frame.reason) == MAX_REASON
    assert len(frame.reason.encode()) <= 123


@given(
    st.sampled_from(list(Role)),
    st.sampled_from([None, 0, 1169]),
    st.lists(st.tuples(st.sampled_from(list(Via)), st.binary(max_size=80)), max_size=8),
)
def test_no_bytes_raise(
    role: Role, max_datagram: int | None, packets: list[tuple[Via, bytes]]
) -> None:
    machine = Machine(role, 0, max_datagram=max_datagram)
    for now, (via, data) in enumerate(packets):
        machine.receive(via, data, now)
        machine.poll(now)
        machine.next_timer()


def mutate(dice: random.Random) -> bytes:
    """A golden frame, damaged: what a broken or hostile peer might send."""
    data = bytearray(dice.choice(SAMPLES))
    for _ in range(dice.randrange(4)):
        action = dice.randrange(4)
        at = dice.randrange(len(data) + 1)
        if action == 0 and data:
            data[at % len(data)] = dice.randrange(256)
        elif action == 1:
            data[at:at] = dice.randbytes(dice.randrange(1, 9))
        elif action == 2:
            del data[at : at + dice.randrange(1, 9)]
        else:
            data[at:at] = dice.choice(SAMPLES)
    return bytes(data)


@pytest.mark.fuzz
@settings(max_examples=1, deadline=None)
@given(st.integers(0, 2**32))
def test_fuzz_decoder_and_machine_with_damaged_frames(seed: int) -> None:
    """100,000 inputs per run; a failure names the seed that gives it again."""
    dice = random.Random(seed)
    machine = Machine(Role.SERVER, 0, max_datagram=1169)
    for now in range(100_000):
        if machine.closed is not None:
            machine = Machine(
                dice.choice(list(Role)), now, max_datagram=dice.choice([None, 0, 1169])
            )
            if dice.random() < 0.7:
                join(machine, now)
        via = Via.MESSAGE if machine._sender is None else dice.choice([Via.STREAM, Via.DATAGRAM])
        data = mutate(dice)
        if via is Via.STREAM and dice.random() < 0.8:
            data = bytes([0x40 | len(data) >> 8, len(data) & 255]) + data
        elif via is Via.DATAGRAM and dice.random() < 0.8:
            data = bytes([dice.randrange(64), dice.randrange(3)]) + data
        machine.receive(via, data, now)
        machine.poll(now)
        machine.next_timer()


def join(machine: Machine, now: float) -> None:
    """Take a machine past its handshake, so that the fuzz reaches the states behind it."""
    via = Via.MESSAGE if machine._sender is None else Via.STREAM
    hello = Hello(1, "t")
    welcome = Welcome(1, A, "v:1", 0, 25000)
    answer = codec.encode(hello if machine.role is Role.SERVER else welcome)
    if machine.role is Role.CLIENT:
        machine.send(hello, now)
    machine.receive(via, answer if via is Via.MESSAGE else bytes([len(answer)]) + answer, now)
    if machine.role is Role.SERVER:
        machine.send(welcome, now)
