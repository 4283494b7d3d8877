"""What overtakes its session waits within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from transport.quic import early
from transport.quic.capsules import BUFFERED_STREAM_REJECTED
from transport.quic.early import MAX_BYTES, MAX_EVENTS, MAX_SESSIONS, Early


class Waiting:
    """`Early`, and the streams that it refused."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.early = Early(self._refuse)

    def _refuse(self, streams: set[int], code: int) -> None:
        assert code == BUFFERED_STREAM_REJECTED
        self.refused += sorted(streams)

    def put(self, session: int, stream: int | None, size: int = 1) -> None:
        self.early.put(session, size, lambda _: None, stream)


async def test_a_stream_with_too_many_pieces_is_refused() -> None:
    waiting = Waiting()
    for _ in range(MAX_EVENTS):
        waiting.put(0, 4)
    assert not waiting.refused
    waiting.put(0, 4)
    assert 4 in waiting.refused
    assert not waiting.early.take(0), "a stream with a hole is worse than none"


async def test_a_stream_with_too_many_bytes_is_refused() -> None:
    waiting = Waiting()
    waiting.put(0, 4, MAX_BYTES)
    waiting.put(0, 4, 1)
    assert 4 in waiting.refused


async def test_a_datagram_too_many_is_dropped_and_no_stream_with_it() -> None:
    waiting = Waiting()
    waiting.put(0, 4)
    for _ in range(MAX_EVENTS):
        waiting.put(0, None)
    assert not waiting.refused
    assert len(waiting.early.take(0)) == MAX_EVENTS


async def test_a_session_too_many_has_no_place() -> None:
    waiting = Waiting()
    for number in range(MAX_SESSIONS + 1):
        waiting.put(8 * number, 8 * number + 4)
    assert waiting.refused == [8 * MAX_SESSIONS + 4]


async def test_after_a_while_what_waits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "TIMEOUT", 0.02)
    waiting = Waiting()
    waiting.put(0, 4)
    await asyncio.sleep(0.1)
    assert waiting.refused == [4]
    assert not waiting.early.take(0)


async def test_where_nothing_waits_there_is_no_timer() -> None:
    loop: Any = asyncio.get_running_loop()
    waiting = Waiting()
    waiting.put(0, 4)
    waiting.put(8, 12)
    waiting.early.take(0)
    waiting.early.clear()
    assert all(timer.cancelled() for timer in loop._scheduled)
    assert not waiting.refused
