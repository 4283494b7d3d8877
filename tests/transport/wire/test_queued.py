"""What a machine still holds, and whose heartbeat counts."""

from __future__ import annotations

from uuid import UUID

import pytest

from transport.wire import codec
from transport.wire.frames import Hello, Send, Typing, Welcome
from transport.wire.hedge import GAP
from transport.wire.machine import Machine, Role

ID = UUID(int=7)


@pytest.mark.parametrize("max_datagram", [None, 0, 1200])
def test_queued_counts_every_frame_until_the_stream_has_it(max_datagram: int | None) -> None:
    machine = Machine(Role.CLIENT, 0.0, max_datagram=max_datagram)
    assert machine.queued == 0
    frames = [Hello(1, "token"), Send(ID, ID, "message"), Typing(ID, True)]
    for frame in frames:
        machine.send(frame, 0.0)
    assert machine.queued == sum(len(codec.encode(frame)) for frame in frames)
    for step in range(4):
        machine.poll(step * GAP)
    assert machine.queued == 0


def test_the_server_keeps_the_heartbeat_that_it_announced() -> None:
    server = Machine(Role.SERVER, 0.0, max_datagram=None)
    client = Machine(Role.CLIENT, 0.0, max_datagram=None)
    client.send(Hello(1, "token"), 0.0)
    for packet in client.poll(0.0):
        server.receive(packet.via, packet.data, 0.0)
    server.send(Welcome(1, ID, "v:1", 0, 400), 0.0)
    assert server.heartbeat == 0.4
    assert server.next_timer() == 0.0
    server.poll(0.0)
    assert server.next_timer() == pytest.approx(1.0)
