"""The hedged lane: the stream for truth, datagrams for speed. Sans-IO. Here: its words, and the
receiving half; the sending half is sender.py.

Why. A lost packet costs a stream at least one more round trip and blocks what follows it. Chat
frames are tiny, so a frame goes out more than once, as datagrams and on the stream, each copy in
another packet, so that one loss cannot take them all. How many copies, and how far apart, follows
the loss that the peer reports (hedge.py, loss.py); on a clean path it is one.

How. Both sides number the frames they put on the stream 1, 2, 3, … in stream order; the number of
a stream record is implicit. A datagram copy names its number, and how far back the frame lies that
must be handed up before it (`back`, 0 for none): the previous frame of the same flow, or else the
first frame of all. So frames of one conversation keep their order, conversations do not block each
other, and nothing overtakes `hello` or `welcome`. Datagrams themselves are counted by `seq`.

    stream     record*            record   = length(varint) frame
    datagram   seq(varint) number(varint) back(varint) frame        number 0: never repeated

What holds always: a frame is handed up exactly once, never before the frame `back` points to.
Bounds: WINDOW frames ahead of the stream are remembered, what lies beyond is dropped (the stream
brings it).
Times are seconds on any monotonic clock, given by the caller.
May import: varint, loss, codec's limit, errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple

from transport.errors import CloseCode, RemoteProtocolError
from transport.wire import varint
from transport.wire.codec import MAX_FRAME
from transport.wire.loss import LossMeter

WINDOW = 1024
"""How many frames past the last one on the stream a receiver remembers."""
MAX_SEQ = 2**53 - 1


class Via(Enum):
    """What a piece of bytes travels on."""

    STREAM = "stream"
    DATAGRAM = "datagram"
    MESSAGE = "message"
    """A WebSocket message: one frame each, reliable and in order by itself."""


class Packet(NamedTuple):
    """Bytes to hand to the transport."""

    via: Via
    data: bytes


@dataclass(slots=True)
class Counters:
    """What the lane did, for metrics: frames, datagram copies, and what the copies were for."""

    frames_sent: int = 0
    frames_received: int = 0
    datagrams_sent: int = 0
    datagrams_received: int = 0
    first_by_datagram: int = 0
    """Frames that a datagram brought before the stream did."""
    duplicates: int = 0
    """Copies that came after the frame was already there."""
    dropped: int = 0
    """Datagrams ahead of WINDOW."""
    copies_sent: int = 0
    """Datagrams sent that were copies of a numbered frame."""
    copies_useful: int = 0
    """Those of them that brought their frame first, as the peer reports."""
    copies_wasted: int = 0
    """Those of them that found their frame there already, as the peer reports."""
    copies_unpaid: int = 0
    """Copies that the plan wanted and the budget did not pay for."""
    wasted_received: int = 0
    """Datagrams received that found their frame there already."""
    reports_sent: int = 0
    reports_received: int = 0
    loss: float = 0.0
    """Now: the share of our datagrams that is lost, and …"""
    again: float = 0.0
    """… the share of those after which the next one is lost too."""
    copies: int = 0
    """Now: copies of a frame, the stream's included. 0 where there are no datagrams."""


class LaneReceiver:
    """The receiving half: drops copies and hands frames up in the order of their flows."""

    __slots__ = (
        "_ahead",
        "_blocked",
        "_buffer",
        "_counters",
        "_floor",
        "_max_frame",
        "_waiting",
        "meter",
    )

    window: ClassVar[int] = WINDOW

    def __init__(self, counters: Counters, max_frame: int = MAX_FRAME) -> None:
        self._counters = counters
        self._max_frame = max_frame
        self.meter: LossMeter | None = None
        """Counts the datagrams; made with the first."""
        self._buffer = bytearray()
        self._floor = 0
        """Every frame up to this number came by the stream and was handed up."""
        self._ahead = 0
        """Bit i: frame `_floor + 1 + i` was handed up already. At most `window` bits."""
        self._waiting: dict[int, bytes] = {}
        """Frames that came before the frame they must follow."""
        self._blocked: dict[int, list[int]] = {}
        """number → the numbers that wait for it."""

    def receive_stream(self, data: bytes) -> Iterator[bytes]:
        """Take bytes of the stream; yield the frames that can be handed up now."""
        self._buffer += data
        at = 0
        while (head := varint.decode(self._buffer, at)) is not None:
            length, start = head
            if length > self._max_frame:
                raise RemoteProtocolError(
                    CloseCode.FRAME_TOO_LARGE, f"record of {length} bytes exceeds {self._max_frame}"
                )
            if start + length > len(self._buffer):
                break
            at = start + length
            yield from self._stream_frame(bytes(self._buffer[start:at]))
        del self._buffer[:at]

    def receive_datagram(self, data: bytes, now: float) -> Iterator[bytes]:
        """Take one datagram; yield the frames that can be handed up now."""
        seq, number, back, frame = _parse_datagram(data)
        self._note(seq, now)
        yield from self._datagram_frame(number, back, frame)

    def _note(self, seq: int, now: float) -> None:
        self._counters.datagrams_received += 1
        if self.meter is None:
            self.meter = LossMeter()
        self.meter.note(seq, now)

    def _datagram_frame(self, number: int, back: int, frame: bytes) -> Iterator[bytes]:
        if number == 0:
            self._counters.frames_received += 1
            yield frame
        elif self._handed_up(number) or number in self._waiting:
            self._counters.duplicates += 1
            self._counters.wasted_received += 1
        elif number > self._floor + self.window:
            self._counters.dropped += 1
        else:
            self._counters.first_by_datagram += 1
            before = number - back if back else 0
            if self._handed_up(before):
                yield from self._hand_up(number, frame)
            else:
                self._waiting[number] = frame
                self._blocked.setdefault(before, []).append(number)

    def _stream_frame(self, frame: bytes) -> Iterator[bytes]:
        number = self._floor = self._floor + 1
        came = self._ahead & 1
        self._ahead >>= 1
        if came:
            self._counters.duplicates += 1
        else:
            # It cannot be waiting: what it waits for has a lower number, so the stream brought it.
            yield from self._hand_up(number, frame)

    def _handed_up(self, number: int) -> bool:
        return number <= self._floor or bool(self._ahead >> number - self._floor - 1 & 1)

    def _hand_up(self, number: int, frame: bytes) -> Iterator[bytes]:
        """Hand up a frame, then all that waited for it."""
        ready = [(number, frame)]
        while ready:
            number, frame = ready.pop(0)
            if number > self._floor:
                self._ahead |= 1 << number - self._floor - 1
            self._counters.frames_received += 1
            yield frame
            for later in self._blocked.pop(number, ()):
                ready.append((later, self._waiting.pop(later)))


def _parse_datagram(data: bytes) -> tuple[int, int, int, bytes]:
    seq = varint.decode(data, 0)
    number = varint.decode(data, seq[1]) if seq else None
    back = varint.decode(data, number[1]) if number else None
    if seq is None or number is None or back is None:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "datagram cut short")
    if not 1 <= seq[0] <= MAX_SEQ or back[0] > max(number[0] - 1, 0):
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad datagram header")
    return seq[0], number[0], back[0], data[back[1] :]
