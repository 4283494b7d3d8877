"""A server whose client comes from a new address, or back after a silence, in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from aioquic.quic.events import DatagramFrameReceived

from tests.transport.support.pair import Pair
from transport.quic.aio.bounds import ECHO, LATE

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


def proven_next(pair: Moving) -> bool:
    """Whether one more exchange, a round trip later, proves the new address."""
    pair.now += pair.server.round_trip
    pair.client.ask()
    pair.up(NEW)
    pair.down()
    pair.up(NEW)
    return pair.proven


def test_a_lost_challenge_is_repeated_with_the_next_packet(pair: Moving) -> None:
    pair.client.announce_move(pair.now)
    pair.up(NEW)
    pair.down(lost=True)
    assert not pair.proven
    assert proven_next(pair)


def test_a_lost_answer_to_a_challenge_is_asked_for_again(pair: Moving) -> None:
    pair.client.announce_move(pair.now)
    pair.up(NEW)
    pair.down()
    pair.client.datagrams_to_send(pair.now)  # the answer: lost
    assert proven_next(pair)


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


def test_what_ends_a_silence_is_said_twice(pair: Moving) -> None:
    """The loss of all that is said first costs ECHO, not a round trip."""
    stream = pair.server.get_next_available_stream_id()
    pair.server._loss._rtt_smoothed = 0.2
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.server.send_stream_data(stream, bytes(5_000))
    pair.client.ask()
    pair.up(OLD)
    assert pair.down(lost=True) > 5_000
    assert pair.received(pair.client, stream) == 0
    pair.silence(ECHO / 2, ECHO / 4)
    assert pair.server.get_timer() <= pair.now + ECHO
    pair.now += ECHO
    pair.server.handle_timer(pair.now)
    pair.down()
    assert pair.received(pair.client, stream) == 5_003
    pair.now += ECHO
    assert pair.down() < 100, "an echo has none"


def test_an_echo_that_is_not_answered_in_time_goes_again(pair: Moving) -> None:
    """The last packet of a burst is followed by nothing that would show its loss."""
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.server._loss._rtt_smoothed, pair.server._loss._rtt_variance = 0.2, 0.1
    pair.client.ask()
    pair.up(OLD)
    pair.down(lost=True)
    pair.silence(ECHO)
    assert pair.server.get_timer() <= pair.now + LATE * 0.2
    pair.silence(LATE * 0.2 - 0.02, 0.01)
    assert pair.server.unacked(stream) == 3
    pair.now += 0.03
    pair.server.handle_timer(pair.now)
    pair.down()
    assert pair.received(pair.client, stream) == 3


def test_datagrams_wait_until_all_that_was_missed_has_arrived(pair: Moving) -> None:
    """They would fill the window, and what is lost of the rest would wait behind them."""
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.client.ask()
    pair.up(OLD)
    pair.down(lost=True)
    pair.server.send_datagram_frame(b"early")
    pair.down()
    pair.now += ECHO
    pair.server.handle_timer(pair.now)
    pair.down()
    pair.now += 0.03  # what an acknowledgement may wait
    pair.up(OLD)
    pair.server.send_datagram_frame(b"late")
    pair.down()
    came = [e.data for e in pair.events[pair.client] if isinstance(e, DatagramFrameReceived)]
    assert came == [b"late"]


def test_what_is_lost_while_catching_up_goes_before_the_window_opens(pair: Moving) -> None:
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.server.send_stream_data(stream, bytes(100_000))
    pair.client.ask()
    pair.up(OLD)
    packets = [data for data, _ in pair.server.datagrams_to_send(pair.now)]
    pair.now += ECHO
    packets += [data for data, _ in pair.server.datagrams_to_send(pair.now)]
    for data in packets[1:5]:
        pair.client.receive_datagram(data, SERVER, pair.now)
    full = pair.down(lost=True)
    pair.up(OLD)
    assert full == 0, "the window is full"
    assert pair.down() > 0


def test_an_answer_to_the_first_challenge_counts_for_a_round_trip_and_a_half(pair: Moving) -> None:
    """However often the client asks meanwhile: it asks because it has heard nothing."""
    stream = pair.server.get_next_available_stream_id()
    pair.server._loss._rtt_smoothed = 0.2
    pair.client.announce_move(pair.now)
    pair.up(NEW)
    pair.server.send_stream_data(stream, bytes(60_000))
    pair.down()
    pair.now += 0.01
    answer = [data for data, _ in pair.client.datagrams_to_send(pair.now)]
    for _ in range(7):
        pair.client.ask()
        pair.up(NEW)
        pair.down(lost=True)
        pair.now += 0.03
    assert not pair.proven
    for data in answer:
        pair.server.receive_datagram(data, NEW, pair.now)
    assert pair.proven


def test_one_who_looks_for_a_way_from_two_addresses_is_not_told_everything_twice(
    pair: Moving,
) -> None:
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.silence(10.0)
    pair.server.send_stream_data(stream, bytes(5_000))
    home = pair.client.another_name()
    assert home is not None
    pair.client.ask()
    pair.up(OLD)
    told = pair.down(lost=True)
    other = pair.client.go_by(home)
    pair.client.ask()
    pair.up(NEW)
    assert told > 5_000
    assert pair.down(lost=True) <= 1_200, "a challenge"
    pair.client.give_up(pair.client.go_by(other))
    pair.client.ask()
    pair.up(OLD)
    pair.exchange()
    assert pair.received(pair.client, stream) == 5_003
    assert pair.proven


def test_a_probe_says_again_what_was_received(pair: Moving) -> None:
    """All acknowledgements may have been lost: the server need not send that again."""
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, bytes(900))
    pair.down()
    pair.now += 0.05
    pair.client.datagrams_to_send(pair.now)  # the acknowledgement: lost
    assert pair.server.unacked(stream) == 900
    pair.client.probe(pair.now)
    pair.up(OLD)
    assert pair.server.unacked(stream) == 0


def test_an_answer_after_a_silence_does_not_make_the_path_seem_slow(pair: Moving) -> None:
    stream = pair.server.get_next_available_stream_id()
    pair.server.send_stream_data(stream, b"old")
    pair.down()
    pair.now += 0.05
    pair.client.datagrams_to_send(pair.now)  # the acknowledgement: lost
    before = pair.server.round_trip
    pair.silence(10.0)
    pair.client.ask()
    pair.up(OLD)
    assert pair.server.round_trip == before
