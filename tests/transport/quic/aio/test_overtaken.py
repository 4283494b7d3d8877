"""Packets of a handshake in the wrong order, on a clock of the test's own."""

from __future__ import annotations

from pathlib import Path

from aioquic._buffer import Buffer
from aioquic.quic.events import DatagramFrameReceived
from aioquic.quic.packet import pull_quic_header

from tests.transport.support.line import Line
from transport.quic.aio.bounds import CONNECTION_ID_LENGTH, HASTE, MAX_OVERTAKING

DELAY = 0.1


def heard(line: Line) -> list[bytes]:
    events = line.events[line.server]
    return [event.data for event in events if isinstance(event, DatagramFrameReceived)]


def overtaking(folder: Path, words: int) -> list[bytes]:
    """What a server hears of words that come before the end of the handshake."""
    line = Line(folder, delay=DELAY, settle=2 * DELAY + 0.001, late={("client", 3): 0.5})
    for number in range(words):
        line.client.send_datagram_frame(b"%d" % number)
        line.flush()
    line.run(DELAY + 2 * HASTE)
    assert line.server.handshake_complete
    assert not line.server._early_packets
    return heard(line)


def test_first_words_wait_for_the_end_of_the_handshake(tmp_path: Path) -> None:
    assert overtaking(tmp_path, 2) == [b"0", b"1"]


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    assert overtaking(tmp_path, MAX_OVERTAKING + 2) == [b"%d" % n for n in range(MAX_OVERTAKING)]


def test_a_server_may_be_heard_from_the_end(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=DELAY, settle=DELAY - 0.001)
    line.run(0.002)  # now the server has answered, and the answer is on its way
    [flight] = [data for _, _, to, data in line._flying if to is line.client]
    header = pull_quic_header(Buffer(data=flight), host_cid_length=CONNECTION_ID_LENGTH)
    first, rest = flight[: header.packet_length], flight[header.packet_length :]
    line.client.receive_datagram(rest, ("server", 1), line.now)
    assert not line.client.handshake_complete
    line.client.receive_datagram(first, ("server", 1), line.now)
    assert line.client.handshake_complete


def test_what_is_for_somebody_else_does_not_wait(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=DELAY, settle=DELAY + 0.001)
    line.server.receive_datagram(b"\x40" + b"elsewhere" + bytes(40), ("client", 1), line.now)
    line.server.receive_datagram(b"", ("client", 1), line.now)
    assert not line.server._early_packets
    mine = b"\x40" + line.server.host_cid + bytes(40)
    line.server.receive_datagram(mine, ("client", 1), line.now)
    assert len(line.server._early_packets) == 1
    line.run(2.0)
    assert line.server.handshake_complete
    assert line.server.end is None
