"""WebTransport streams and datagrams that overtook the CONNECT they belong to.

Packets are reordered, so they wait here for their session: at most MAX_SESSIONS sessions,
MAX_EVENTS events and MAX_BYTES bytes each, for TIMEOUT seconds. Over any of these a stream is
refused with BUFFERED_STREAM_REJECTED (draft-ietf-webtrans-http3 section 4.6), a datagram dropped.
May import: capsules, sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from transport.quic.capsules import BUFFERED_STREAM_REJECTED
from transport.quic.sessions import WebTransportSession

MAX_SESSIONS = 4
MAX_EVENTS = 32
MAX_BYTES = 65_536
TIMEOUT = 3.0

Replay = Callable[[WebTransportSession], None]
Reject = Callable[[set[int], int], None]


class _Waiting:
    """What waits for one session."""

    def __init__(self, timer: asyncio.TimerHandle) -> None:
        self.timer = timer
        self.events: list[Replay] = []
        self.streams: set[int] = set()
        self.size = 0


class Early:
    """Everything of one connection that waits."""

    def __init__(self, reject: Reject) -> None:
        self._reject = reject
        self._waiting: dict[int, _Waiting] = {}

    def put(self, session_id: int, size: int, event: Replay, stream_id: int | None) -> None:
        """Keep an event, of a stream or a datagram (None), or refuse it."""
        waiting = self._waiting.get(session_id)
        if waiting is None and len(self._waiting) < MAX_SESSIONS:
            loop = asyncio.get_running_loop()
            waiting = _Waiting(loop.call_later(TIMEOUT, self._expire, session_id))
            self._waiting[session_id] = waiting
        if waiting is None:
            self._refuse(stream_id)
        elif len(waiting.events) >= MAX_EVENTS or waiting.size + size > MAX_BYTES:
            # A stream with a hole is worse than none.
            if stream_id is not None:
                self._expire(session_id)
                self._refuse(stream_id)
        else:
            waiting.events.append(event)
            waiting.size += size
            if stream_id is not None:
                waiting.streams.add(stream_id)

    def take(self, session_id: int) -> list[Replay]:
        """The session has come: what waited for it, in order."""
        waiting = self._waiting.pop(session_id, None)
        if waiting is None:
            return []
        waiting.timer.cancel()
        return waiting.events

    def clear(self) -> None:
        """The connection is over."""
        for session_id in list(self._waiting):
            self.take(session_id)
        self._reject = _nobody

    def _expire(self, session_id: int) -> None:
        waiting = self._waiting.pop(session_id, None)
        if waiting is not None:
            waiting.timer.cancel()
            self._reject(waiting.streams, BUFFERED_STREAM_REJECTED)

    def _refuse(self, stream_id: int | None) -> None:
        if stream_id is not None:
            self._reject({stream_id}, BUFFERED_STREAM_REJECTED)


def _nobody(streams: set[int], code: int) -> None:
    pass
