"""One end of a link. Sans-IO: bytes and time in, messages and bytes out.

    dialler                          listener
    NEW ──hello heard──▶ GREETED     NEW ──hello heard──▶ GREETED
    GREETED ──begin──▶ LIVE          GREETED ──anything more heard──▶ LIVE
    any ──close, fault, silence──▶ CLOSED

Both say hello by themselves, as their first frame. A dialler may have greeted on two ways and
begins on one; so the listener takes no notice of a link that was merely tried.

Below is the lane of the sessions (transport/wire/lane.py): every frame is numbered and goes on the
stream, and as datagrams too where there are any. A link is one steady flow, not a person's few
words: it is never without a copy, the second one follows within 4 ms and is a datagram as well
(where many messages a second share one stream, it mostly stands still for one that was lost), and
packets leave at most every TICK, so that under load they fill up instead of multiplying.

What holds always: messages of a key are handed up in order, each once; heartbeats, answers and
reports never leave this file; every fault of the peer ends in CLOSED with a close code.
Times are seconds on any monotonic clock, given by the caller.
May import: base, frames, errors, wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from transport.errors import CloseCode, RemoteProtocolError, SessionClosed
from transport.links import frames
from transport.links.base import Message
from transport.links.frames import (
    MAX_FRAME,
    MAX_REASON,
    VERSION,
    Carry,
    Close,
    Frame,
    Hello,
    Ping,
    Pong,
    Report,
)
from transport.wire.bundle import BundleReceiver, BundleSender
from transport.wire.hedge import STREAM_ALONE, Plan, Policy
from transport.wire.lane import Counters, Packet, Via

HEARTBEAT = 5.0
"""Seconds between two pings of each side: a heartbeat, and a look at the round trip."""
SILENCE = 2.5
"""After so many heartbeats without a byte from the peer it is HEARTBEAT_TIMEOUT."""
HELLO_DEADLINE = 10.0
"""Seconds until a link is live, or given up."""
TICK = 0.001
"""Seconds between two polls that hand out something, at least."""
SMOOTH = 1 / 8
"""How much a new round trip counts (RFC 9002 section 5.3)."""


def _plan(*gaps: int, stream: int) -> Plan:
    return Plan(tuple(gap / 1000 for gap in gaps), stream)


POLICY = Policy(
    plans=(
        STREAM_ALONE,
        _plan(4, stream=1),
        _plan(4, 6, stream=2),
        _plan(4, 4, 6, stream=2),
        _plan(4, 4, 6, 10, stream=2),
        _plan(4, 4, 6, 8, 12, stream=2),
        _plan(4, 4, 4, 6, 10, 14, stream=2),
        _plan(4, 4, 4, 6, 8, 12, 16, stream=2),
    ),
    clean=0.0,
    rate=3 * 1024 * 1024,
    burst=256 * 1024,
)
"""How a link hedges; what copies cost at most is 25 Mbit/s."""


class State(Enum):
    NEW = "new"
    GREETED = "greeted"
    LIVE = "live"
    CLOSED = "closed"


class LinkMachine:
    """One end. `max_datagram` is 0 on a way without datagrams."""

    def __init__(self, now: float, *, dials: bool, max_datagram: int) -> None:
        self.state = State.NEW
        self.closed: SessionClosed | None = None
        self.counters = Counters()
        self.rtt: float | None = None
        self.sent = self.received = self.bytes_sent = self.bytes_received = 0
        self._dials = dials
        self._hedged = bool(max_datagram)
        self._sender = BundleSender(max_datagram, self.counters, POLICY)
        self._receiver = BundleReceiver(self.counters, MAX_FRAME)
        self._born = self._heard = now
        self._paused = False
        self._pinged = now
        self._polled = float("-inf")
        self._queue(Hello(VERSION), flow=None)

    # Bytes in.

    def receive(self, via: Via, data: bytes, now: float) -> list[Message]:
        """Take bytes; return the messages. A fault of the peer closes: `closed` is set then."""
        messages: list[Message] = []
        if self.closed is not None:
            return messages
        self._heard = now
        try:
            for raw in self._unwrap(via, data, now):
                self._take(frames.decode(raw), messages, now)
                if self.state is State.CLOSED:
                    break  # the peer is gone: what it said after `close` counts for nothing
            self._report(now)
        except RemoteProtocolError as error:
            self.close(error.code, error.reason, now)
        return messages

    def pause(self) -> None:
        """Nothing is read for now: that the peer is not heard means nothing."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Read again."""
        self._paused = False
        self._heard = now

    def lost(self, code: int = CloseCode.ABNORMAL, reason: str = "connection lost") -> None:
        """The transport ended, with this code, if it gave one."""
        self._end(SessionClosed(code, reason, remote=True))

    # Messages out.

    def begin(self, now: float) -> None:
        """Use this link: for the dialler, once it is greeted."""
        if self.state is State.GREETED:
            self._live(now)

    def send(self, key: bytes, data: bytes) -> None:
        """Queue a message."""
        self.sent += 1
        self.bytes_sent += len(key) + len(data)
        self._queue(Carry(key, data), flow=key)

    def close(self, code: int, reason: str, now: float) -> None:
        """Queue a `close` and end. Does nothing after the end."""
        if self.closed is None:
            reason = reason[:MAX_REASON]
            self._sender.send(frames.encode(Close(int(code), reason)), flow=None, hedge=False)
            self._end(SessionClosed(int(code), reason))

    @property
    def queued(self) -> int:
        """Bytes of the frames that `poll` has not handed out for the last time."""
        return self._sender.queued

    def poll(self, now: float) -> list[Packet]:
        """What is due, and what time asks for: pings and timeouts."""
        self._check_clock(now)
        if now < self._polled + TICK and self.closed is None:
            return []
        packets = self._sender.poll(now)
        if packets:
            self._polled = now
        return packets

    def next_timer(self) -> float | None:
        """When to poll next."""
        due = self._sender.next_timer()
        if self.closed is not None:
            return due
        times = [self._deadline()]
        if due is not None:
            times.append(max(due, self._polled + TICK))
        if self.state is State.LIVE:
            times.append(self._pinged + HEARTBEAT)
        return min(times)

    # Inside.

    def _unwrap(self, via: Via, data: bytes, now: float) -> Iterable[bytes]:
        if via is Via.DATAGRAM:
            return self._receiver.receive_datagram(data, now)
        return self._receiver.receive_stream(data)

    def _take(self, frame: Frame, messages: list[Message], now: float) -> None:
        if isinstance(frame, Close):
            self._end(SessionClosed(frame.code, frame.reason, remote=True))
        elif self.state is State.NEW:
            self._greet(frame)
        elif isinstance(frame, Hello):
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "hello comes once")
        else:
            if self.state is State.GREETED and not self._dials:
                self._live(now)
            self._use(frame, messages, now)

    def _greet(self, frame: Frame) -> None:
        if not isinstance(frame, Hello):
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "hello comes first")
        if frame.version != VERSION:
            raise RemoteProtocolError(
                CloseCode.UNSUPPORTED_VERSION, f"version {frame.version} is not spoken here"
            )
        self.state = State.GREETED

    def _use(self, frame: Frame, messages: list[Message], now: float) -> None:
        if isinstance(frame, Carry):
            self.received += 1
            self.bytes_received += len(frame.key) + len(frame.data)
            messages.append(Message(frame.key, frame.data))
        elif isinstance(frame, Ping):
            self._queue(Pong(frame.at), flow=b"")
        elif isinstance(frame, Pong):
            self._answered(now - frame.at / 1e6)
        elif isinstance(frame, Report):
            self._reported(frame, now)

    def _live(self, now: float) -> None:
        self.state = State.LIVE
        self._ping(now)

    def _ping(self, now: float) -> None:
        self._pinged = now
        self._queue(Ping(int(now * 1e6)), flow=b"")

    def _answered(self, rtt: float) -> None:
        # What a peer makes up may not exceed what can be: it would have been gone long since.
        if 0 <= rtt <= SILENCE * HEARTBEAT:
            self.rtt = rtt if self.rtt is None else self.rtt + SMOOTH * (rtt - self.rtt)

    def _queue(self, frame: Frame, flow: bytes | None) -> None:
        self._sender.send(frames.encode(frame), flow=flow, hedge=self._hedged)

    def _report(self, now: float) -> None:
        """Tell the peer what became of its datagrams, when there is news."""
        meter = self._receiver.meter
        if meter is None or self.state is not State.LIVE or not meter.due(now):
            return
        useful, wasted = self.counters.first_by_datagram, self.counters.wasted_received
        report = Report(meter.upto, meter.lost, meter.runs, useful, wasted)
        self._sender.send_ephemeral(frames.encode(report))
        self.counters.reports_sent += 1

    def _reported(self, report: Report, now: float) -> None:
        if self._sender.report(report.upto, report.lost, report.runs, now):
            self.counters.reports_received += 1
            self.counters.copies_useful = min(report.useful, self.counters.copies_sent)

    def _deadline(self) -> float:
        if self.state is not State.LIVE:
            return self._born + HELLO_DEADLINE
        return float("inf") if self._paused else self._heard + SILENCE * HEARTBEAT

    def _check_clock(self, now: float) -> None:
        if self.closed is not None:
            return
        if now >= self._deadline():
            if self.state is State.LIVE:
                self.close(CloseCode.HEARTBEAT_TIMEOUT, "nothing heard in time", now)
            else:
                self.close(CloseCode.HELLO_TIMEOUT, "no hello in time", now)
        elif self.state is State.LIVE and now >= self._pinged + HEARTBEAT:
            self._ping(now)

    def _end(self, closed: SessionClosed) -> None:
        if self.closed is None:
            self.closed = closed
            self.state = State.CLOSED
