"""A server whose client comes from a new address, or back after a silence, in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from aioquic.quic.events import DatagramFrameReceived

from tests.transport.support.pair import Pair

OLD, NEW, SERVER = ("client", 1), ("client", 2), ("server", 1)


class Moving(Pair):
    """The client can move; either way packets can get lost."""

    def up(self, address: tuple[str, int]) -> int:
        """What the client has to say; how many bytes that was."""
        self.now += 0.01  # for the pacing
        packets = [data for data, _ in self.client.datagrams_to_send(self.now)]
        for data in packets:
            self.server.receive_datagram(data, address, self.now)
        return sum(map(len, packets))

    def down(self, *, lost: bool = False) -> int:
        """What the server has to say; how many bytes that was."""
        packets = [data for data, _ in self.server.datagrams_to_send(self.now)]
        for data in [] if lost else packets:
            self.client.receive_datagram(data, SERVER, self.now)
        while (event := self.client.next_event()) is not None:
            self.events[self.client].append(event)
        return sum(map(len, packets))

    @property
    def proven(self) -> bool:
        return self.server._network_paths[0].is_validated

    def silence(self, seconds: float, step: float = 0.05) -> None:
        """The server's timers run, and nothing of what it says arrives."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            due = self.server.get_timer()
            if due is not None and due <= self.now:
                self.server.handle_timer(self.now)
            self.down(lost=True)


@pytest.fixture
def pair(tmp_path: Path) -> Moving:
    return Moving(tmp_path)


def test_a_lost_challenge_is_repeated_with_the_next_packet(pair: Moving) -> None:
    pair.client.announce_move(pair.now)
    pair.up(NEW)
    pair.down(lost=True)
    assert not pair.proven
    pair.now += pair.server.round_trip
    pair.client.ask()
    pair.up(NEW)
    pair.down()
    pair.up(NEW)
    assert pair.proven


def test_a_lost_answer_to_a_challenge_is_asked_for_again(pair: Moving) -> None:
    pair.client.announce_move(pair.now)
    pair.up(NEW)
    pair.down()
    pair.client.datagrams_to_send(pair.now)  # the answer: lost
    pair.now += pair.server.round_trip
    pair.client.ask()
    pair.up(NEW)
    pair.down()
    pair.up(NEW)
    assert pair.proven


def test_until_the_address_is_proven_it_gets_three_times_what_came_from_it(pair: Moving) -> None:
    stream = pair.server.get_next_available_stream_id()
    pair.client.announce_move(pair.now)
    came = pair.up(NEW)
    pair.server.send_stream_data(stream, bytes(60_000))
    went = 0
    for _ in range(20):
        went += pair.down(lost=True)
        pair.now += pair.server.round_trip
    assert 0 < went <= 3 * came


def test_a_question_leaves_room_for_an_answer(pair: Moving) -> None:
    """From an address that the server does not know one packet is enough to hear something."""
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, bytes(900))
    pair.client.ask()
    pair.up(NEW)
    pair.down()
    assert not pair.proven
    assert pair.received(pair.client, stream) == 900


def test_after_a_silence_the_stream_comes_first(pair: Moving) -> None:
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.server.send_stream_data(stream, bytes(5_000))
    for _ in range(200):
        pair.server.send_datagram_frame(bytes(1_000))
    pair.client.ask()
    pair.up(OLD)
    pair.down()
    assert pair.received(pair.client, stream) == 5_003
    pair.exchange()
    pair.server.send_datagram_frame(b"news")
    pair.exchange()
    came = [e.data for e in pair.events[pair.client] if isinstance(e, DatagramFrameReceived)]
    assert came == [b"news"]
