"""What a lost packet of a handshake costs, on a clock of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transport.support.line import Line
from transport.quic.aio.bounds import HASTE

DELAY = 0.1
"""Seconds one way."""


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("number", range(1, 6))
def test_one_lost_packet_costs_no_timer(tmp_path: Path, who: str, number: int) -> None:
    line = Line(tmp_path, delay=DELAY, late={(who, number): None})
    assert line.met[line.client] < 2 * DELAY + 2 * HASTE
    assert line.met[line.server] < 3 * DELAY + 3 * HASTE


def test_words_beside_the_end_of_the_handshake_go_twice(tmp_path: Path) -> None:
    """The end of the client's part, and the first words with it, are in its third packet."""
    line = Line(tmp_path, delay=DELAY, settle=2 * DELAY - 0.001, late={("client", 3): None})
    line.client.send_stream_data(0, b"hello")
    line.run(DELAY + 2 * HASTE)
    assert line.server.handshake_complete
    assert line.server._streams[0].receiver.starting_offset() == 5


def test_each_flight_goes_twice_at_most(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=DELAY, settle=2 * DELAY - 0.001)
    assert line.packets() == (2, 2)
    line.run(2.0)
    client, _ = line.packets()
    assert client <= 4  # its last flight, that again, and what it acknowledges


def test_a_server_that_is_not_there_hears_the_first_flight_twice(tmp_path: Path) -> None:
    every = {("client", number): None for number in range(1, 100)}
    line = Line(tmp_path, delay=DELAY, settle=0.6, late=every)
    assert line.packets() == (2, 0), "the third is for the timer"


def test_near_by_nothing_goes_twice(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=HASTE / 8)
    near, _ = line.packets()
    far, _ = Line(tmp_path, delay=DELAY).packets()
    assert near == far - 2
