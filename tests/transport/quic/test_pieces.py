"""What waits to be received stays in order and within its bound."""

from __future__ import annotations

from transport.quic.pieces import MAX_DATAGRAMS, Datagram, Pieces, StreamData


def test_in_the_order_in_which_they_came() -> None:
    pieces = Pieces()
    came = [StreamData(b"1", False), Datagram(b"2"), StreamData(b"3", True)]
    for piece in came:
        pieces.put(piece)
    assert [pieces.take() for _ in came] == came
    assert not pieces


def test_the_oldest_datagram_makes_room_and_no_stream_bytes_do() -> None:
    pieces = Pieces()
    pieces.put(StreamData(b"first", False))
    for number in range(MAX_DATAGRAMS + 2):
        pieces.put(Datagram(b"%d" % number))
    assert len(pieces) == MAX_DATAGRAMS + 1
    assert pieces.take() == StreamData(b"first", False)
    assert pieces.take() == Datagram(b"2")
    pieces.put(Datagram(b"one more"))
    assert len(pieces) == MAX_DATAGRAMS, "there was room again"
