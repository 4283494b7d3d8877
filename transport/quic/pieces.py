"""What a client's session over QUIC has received and nobody has taken yet.

What holds always: pieces come out in the order in which they came in; over MAX_DATAGRAMS datagrams
the oldest of them is dropped, for it is the least use. Stream bytes are bounded by the credit of
their stream.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

MAX_DATAGRAMS = 1_024
"""Datagrams that wait to be received. Over it the oldest is dropped."""


class StreamData(Struct, frozen=True):
    """Bytes of the session's stream; `ended` when the server will send no more."""

    data: bytes
    ended: bool


class Datagram(Struct, frozen=True):
    """A datagram of the session."""

    data: bytes


class Pieces:
    """The queue of one session."""

    def __init__(self) -> None:
        self._waiting: deque[StreamData | Datagram] = deque()
        self._datagrams = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, piece: StreamData | Datagram) -> None:
        """It came."""
        self._waiting.append(piece)
        if isinstance(piece, Datagram):
            self._datagrams += 1
            if self._datagrams > MAX_DATAGRAMS:
                self._drop_oldest_datagram()

    def take(self) -> StreamData | Datagram:
        """The next one; there must be one."""
        piece = self._waiting.popleft()
        self._datagrams -= isinstance(piece, Datagram)
        return piece

    def _drop_oldest_datagram(self) -> None:
        oldest = next(at for at, one in enumerate(self._waiting) if isinstance(one, Datagram))
        del self._waiting[oldest]
        self._datagrams -= 1
