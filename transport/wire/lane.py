"""The hedged lane: the stream for truth, datagrams for speed. Sans-IO.

Why. A lost packet costs a stream at least one more round trip and blocks what follows it. Chat
frames are tiny, so a frame goes out at once as a datagram, again after a gap, and last on the
stream, each in another packet, so that one loss cannot take them all.

How. Both sides number the frames they put on the stream 1, 2, 3, … in stream order; the number of
a stream record is implicit. A datagram copy names its number, and how far back the frame lies that
must be handed up before it (`back`, 0 for none): the previous frame of the same flow, or else the
first frame of all. So frames of one conversation keep their order, conversations do not block each
other, and nothing overtakes `hello` or `welcome`.

    stream     record*            record   = length(varint) frame
    datagram   number(varint) back(varint) frame        number 0: ephemeral, never repeated

What holds always:
- every numbered frame goes on the stream exactly once, in number order;
- a frame is handed up exactly once, never before the frame `back` points to;
- no two copies of one frame come out of the same `poll` (so they never share a packet).

Bounds: WINDOW frames ahead of the stream are remembered, what lies beyond is dropped (the stream
brings it). So a frame more than WINDOW back needs no naming: the sender forgets flows that have
been silent for so long, and remembers at most MAX_FLOWS.
Times are seconds on any monotonic clock, given by the caller.
May import: varint, codec's limit, errors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from transport.errors import CloseCode, RemoteProtocolError
from transport.wire import varint
from transport.wire.codec import MAX_FRAME

GAP = 0.015
"""Seconds between the copies of a frame: datagram at 0, datagram at GAP, stream at 2 GAP."""
WINDOW = 1024
"""How many frames past the last one on the stream a receiver remembers."""
MAX_FLOWS = 2 * WINDOW
"""How many flows a sender remembers; at the bound it forgets those silent for WINDOW frames."""


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


class _Pending:
    """A numbered frame that is not on the stream yet."""

    __slots__ = ("datagram", "due", "frame")

    def __init__(self, frame: bytes, datagram: bytes) -> None:
        self.frame = frame
        self.datagram = datagram
        self.due: float | None = 0.0
        """When it may go on the stream; None while datagram copies are still to go."""


class LaneSender:
    """The sending half: numbers frames and schedules their copies."""

    def __init__(self, max_datagram: int, counters: Counters, gap: float = GAP) -> None:
        self._max_datagram = max_datagram
        self._counters = counters
        self._gap = gap
        self.queued = 0
        """Bytes of the frames still held: numbered ones not yet on the stream, ephemeral ones."""
        self._number = 0
        self._flows: dict[bytes, int] = {}
        self._pending: dict[int, _Pending] = {}
        """In number order, because dictionaries keep the order of insertion."""
        self._first: list[bytes | int] = []
        """Datagrams to send at the next poll: an ephemeral one, or the number of a new frame."""
        self._second: deque[tuple[float, int]] = deque()
        """(due, number) of the second copies, in order of both."""

    def send(self, frame: bytes, *, flow: bytes | None, hedge: bool) -> None:
        """Take one numbered frame. Without `hedge`, or too large, it goes by the stream alone."""
        self._number += 1
        self.queued += len(frame)
        self._counters.frames_sent += 1
        number = self._number
        back = self._back(number, flow)
        datagram = varint.encode(number) + varint.encode(back) + frame
        pending = self._pending[number] = _Pending(frame, datagram)
        if hedge and len(datagram) <= self._max_datagram:
            pending.due = None
            self._first.append(number)

    def send_ephemeral(self, frame: bytes) -> None:
        """Send once as a datagram; too large for one, it is dropped."""
        if len(frame) + 2 <= self._max_datagram:
            self._counters.frames_sent += 1
            self.queued += len(frame)
            self._first.append(b"\x00\x00" + frame)

    def poll(self, now: float) -> list[Packet]:
        """Hand out everything due at `now`. The caller lets packets go before it polls again."""
        out: list[Packet] = []
        self._poll_stream(now, out)
        while self._second and self._second[0][0] <= now:
            number = self._second.popleft()[1]
            pending = self._pending[number]
            # From now, not from when it was due: after a stall the copies must not bunch up.
            pending.due = now + self._gap
            out.append(Packet(Via.DATAGRAM, pending.datagram))
        for item in self._first:
            if isinstance(item, int):
                self._second.append((now + self._gap, item))
                item = self._pending[item].datagram
            else:
                self.queued -= len(item) - 2
            out.append(Packet(Via.DATAGRAM, item))
        self._first.clear()
        self._counters.datagrams_sent += sum(packet.via is Via.DATAGRAM for packet in out)
        return out

    def next_timer(self) -> float | None:
        """When `poll` next has something: a time, 0.0 for at once, None for never."""
        if self._first:
            return 0.0
        times = [self._second[0][0]] if self._second else []
        head = next(iter(self._pending.values()), None)
        if head is not None and head.due is not None:
            times.append(head.due)
        return min(times, default=None)

    def _poll_stream(self, now: float, out: list[Packet]) -> None:
        """Put on the stream what is due, in number order: a frame never overtakes another there."""
        gone = []
        for number, pending in self._pending.items():
            if pending.due is None or pending.due > now:
                break
            gone.append(number)
            out.append(Packet(Via.STREAM, varint.encode(len(pending.frame)) + pending.frame))
        for number in gone:
            self.queued -= len(self._pending.pop(number).frame)

    def _back(self, number: int, flow: bytes | None) -> int:
        """How far back the frame lies that must be handed up before `number`; 0 for none."""
        if flow is None:
            return number - 1
        before = self._flows.get(flow, 1)
        self._flows[flow] = number
        if len(self._flows) > MAX_FLOWS:
            # A receiver that takes `number` has everything WINDOW back: order needs no more.
            self._flows = {f: n for f, n in self._flows.items() if n > number - WINDOW}
        return number - before


class LaneReceiver:
    """The receiving half: drops copies and hands frames up in the order of their flows."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._buffer = bytearray()
        self._floor = 0
        """Every frame up to this number came by the stream and was handed up."""
        self._ahead: set[int] = set()
        """Numbers past the floor that were handed up already."""
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
            if length > MAX_FRAME:
                raise RemoteProtocolError(
                    CloseCode.FRAME_TOO_LARGE, f"record of {length} bytes exceeds {MAX_FRAME}"
                )
            if start + length > len(self._buffer):
                break
            at = start + length
            yield from self._stream_frame(bytes(self._buffer[start:at]))
        del self._buffer[:at]

    def receive_datagram(self, data: bytes) -> Iterator[bytes]:
        """Take one datagram; yield the frames that can be handed up now."""
        self._counters.datagrams_received += 1
        number, back, frame = _parse_datagram(data)
        if number == 0:
            self._counters.frames_received += 1
            yield frame
        elif number <= self._floor or number in self._ahead or number in self._waiting:
            self._counters.duplicates += 1
        elif number > self._floor + WINDOW:
            self._counters.dropped += 1
        else:
            self._counters.first_by_datagram += 1
            before = number - back if back else 0
            if before <= self._floor or before in self._ahead:
                yield from self._hand_up(number, frame)
            else:
                self._waiting[number] = frame
                self._blocked.setdefault(before, []).append(number)

    def _stream_frame(self, frame: bytes) -> Iterator[bytes]:
        number = self._floor + 1
        if number in self._ahead:
            self._counters.duplicates += 1
            self._ahead.discard(number)
            self._floor = number
            return
        # It cannot be waiting: what it waits for has a lower number, so the stream brought it.
        self._floor = number
        yield from self._hand_up(number, frame)

    def _hand_up(self, number: int, frame: bytes) -> Iterator[bytes]:
        """Hand up a frame, then all that waited for it."""
        ready = [(number, frame)]
        while ready:
            number, frame = ready.pop(0)
            if number > self._floor:
                self._ahead.add(number)
            self._counters.frames_received += 1
            yield frame
            for later in self._blocked.pop(number, ()):
                ready.append((later, self._waiting.pop(later)))


def _parse_datagram(data: bytes) -> tuple[int, int, bytes]:
    head = varint.decode(data, 0)
    back = varint.decode(data, head[1]) if head else None
    if head is None or back is None or back[0] > max(head[0] - 1, 0):
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad datagram header")
    return head[0], back[0], data[back[1] :]
