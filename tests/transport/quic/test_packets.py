"""How many packets a message costs, both ways, acknowledgements included. The time is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transport.support.line import Line
from transport.quic.aio.bounds import ACK_HOLD

COMMIT = 0.003
"""Seconds that a server thinks before it answers."""
GAP = 0.015
"""Seconds between the copies of a frame."""
MESSAGES = 10


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """With a stream that both know, and all falling silent."""
    line = Line(tmp_path, delay=0.1)
    line.client.send_stream_data(0, b"hello")
    line.run(0.2)
    line.server.send_stream_data(0, b"welcome")
    line.run(2)
    line.packets()
    return line


def talk(line: Line, *, copies: int, stream: bool, reply: bool) -> tuple[float, float]:
    """Packets of the client and of the server for each message."""
    plan: list[tuple[float, bool, bool]] = []
    for number in range(MESSAGES):
        for side, start in ((True, number), (False, number + line.delay + COMMIT)):
            if side or reply:
                plan += [(start + GAP * copy, side, False) for copy in range(copies)]
                plan += [(start + GAP * copies, side, True)] * stream
    begin = line.now
    for when, of_client, on_stream in sorted(plan):
        line.run(max(0, begin + when - line.now))
        side = line.client if of_client else line.server
        if on_stream:
            side.send_stream_data(0, b"m" * 120)
        else:
            side.send_datagram_frame(b"m" * 120)
        line.flush()
    line.run(2)
    client, server = line.packets()
    return client / MESSAGES, server / MESSAGES


@pytest.mark.parametrize(
    ("copies", "stream", "reply", "client", "server"),
    [
        # An echo of a datagram: there, back with the ACK, and the ACK of the echo.
        (1, False, True, 2, 1),
        # A clean path: a datagram and the stream each way, one ACK of the client's own.
        (1, True, True, 3, 2),
        # A path that loses: one copy more each way.
        (2, True, True, 5, 3),
        # Nobody answers: one ACK for two packets.
        (1, False, False, 1, 1),
        (1, True, False, 2, 1),
        (2, True, False, 3, 2),
    ],
)
def test_packets_for_a_message(
    line: Line, copies: int, stream: bool, reply: bool, client: float, server: float
) -> None:
    assert talk(line, copies=copies, stream=stream, reply=reply) == (client, server)


def test_idling_costs_no_packet(line: Line) -> None:
    line.run(50)
    assert line.packets() == (0, 0)


def test_an_acknowledgement_nobody_answers_is_held_and_then_sent(line: Line) -> None:
    line.client.send_datagram_frame(b"alone")
    start = line.now
    line.run(1)
    (answered,) = line.sent[line.server]
    assert ACK_HOLD <= answered - start - line.delay <= 0.025


def test_a_gap_is_acknowledged_at_once(line: Line) -> None:
    line.cut = {line.client}
    line.client.send_datagram_frame(b"lost")
    line.flush()
    line.cut = set()
    line.client.send_datagram_frame(b"found")
    start = line.now
    line.run(0.15)
    assert line.sent[line.server][0] - start == pytest.approx(line.delay)
