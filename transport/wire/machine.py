"""The frame state machine of one session, either side. Sans-IO: bytes and time in, bytes out.

    client                         server
    NEW ──hello──▶ JOINING         NEW ──hello──▶ JOINING
    JOINING ──welcome──▶ LIVE      JOINING ──welcome──▶ LIVE
    LIVE ──drain──▶ DRAINING       LIVE ──drain──▶ DRAINING
    any ──close, fault, silence──▶ CLOSED

A client may send commands while JOINING, before it has been welcomed: a first message costs no
round trip of its own. The server holds them until it has checked the token.

What holds always: a frame crosses only if the tables below allow it, in both directions; pings and
reports are dealt with here and never handed up; after CLOSED nothing comes out but what was queued;
every fault of the peer ends in CLOSED with a close code, never in an exception.
Times are seconds on any monotonic clock, given by the caller.
May import: codec, frames, lane, sender, errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from transport.errors import CloseCode, LocalProtocolError, RemoteProtocolError, SessionClosed
from transport.wire import codec
from transport.wire.frames import (
    TRAITS,
    Accepted,
    Call,
    Close,
    Deliver,
    Drain,
    Frame,
    Hello,
    Lane,
    Ping,
    Pong,
    Presence,
    Queued,
    Read,
    Received,
    Refused,
    Report,
    Result,
    Send,
    Typing,
    Welcome,
    flow_of,
)
from transport.wire.lane import Counters, LaneReceiver, Packet, Via
from transport.wire.sender import LaneSender

HEARTBEAT = 25.0
"""Seconds of silence after which a client pings. Under the 30 s that NAT bindings for UDP live."""
MIN_HEARTBEAT = 0.1
"""Seconds; a shorter heartbeat counts as this, so no server can make a client ping in a loop."""
SILENCE = 2.5
"""After this many heartbeats without a byte from the peer the session is HEARTBEAT_TIMEOUT."""
HELLO_DEADLINE = 10.0
"""Seconds a server waits for the first frame."""
MAX_REASON = 40
"""Characters of a close reason that are sent: at most 120 bytes, what a WebSocket Close holds."""


class Role(Enum):
    CLIENT = "client"
    SERVER = "server"


class State(Enum):
    NEW = "new"
    JOINING = "joining"
    LIVE = "live"
    DRAINING = "draining"
    CLOSED = "closed"


_COMMANDS = {Send, Received, Read, Typing, Call}
_EITHER = {Ping, Pong, Close, Report}
_ANSWERS = {Accepted, Queued, Deliver, Received, Typing, Presence, Result, Refused}

# What each side may send in each state; the peer may receive the same.
MAY_SEND: dict[tuple[Role, State], frozenset[type]] = {
    (Role.CLIENT, State.NEW): frozenset({Hello, Close}),
    (Role.CLIENT, State.JOINING): frozenset(_COMMANDS | _EITHER),
    (Role.CLIENT, State.LIVE): frozenset(_COMMANDS | _EITHER),
    (Role.CLIENT, State.DRAINING): frozenset(_COMMANDS | _EITHER),
    (Role.SERVER, State.NEW): frozenset({Close}),
    (Role.SERVER, State.JOINING): frozenset({Welcome} | _EITHER),
    (Role.SERVER, State.LIVE): frozenset({Drain} | _ANSWERS | _EITHER),
    (Role.SERVER, State.DRAINING): frozenset(_ANSWERS | _EITHER),
}
# Where a frame takes both sides; a frame that is not here changes nothing.
TRANSITIONS: dict[tuple[State, type], State] = {
    (State.NEW, Hello): State.JOINING,
    (State.JOINING, Welcome): State.LIVE,
    (State.LIVE, Drain): State.DRAINING,
}
_PEER = {Role.CLIENT: Role.SERVER, Role.SERVER: Role.CLIENT}


class Machine:
    """One side of a session.

    `max_datagram` is the size in bytes of the largest datagram the transport carries, 0 when it
    carries none, None for a transport of messages (WebSocket), where each message is one frame.
    """

    __slots__ = (
        "_born",
        "_hedged",
        "_last_received",
        "_last_sent",
        "_messages",
        "_nonce",
        "_queued",
        "_receiver",
        "_sender",
        "closed",
        "counters",
        "heartbeat",
        "role",
        "state",
    )

    def __init__(
        self, role: Role, now: float, *, max_datagram: int | None, heartbeat: float = HEARTBEAT
    ) -> None:
        self.role = role
        self.state = State.NEW
        self.closed: SessionClosed | None = None
        self.counters = Counters()
        self.heartbeat = heartbeat
        self._hedged = bool(max_datagram)
        self._sender = None if max_datagram is None else LaneSender(max_datagram, self.counters)
        self._receiver = None if max_datagram is None else LaneReceiver(self.counters)
        self._messages: list[bytes] = []
        self._queued = 0
        self._nonce = 0
        self._last_received = now
        self._last_sent = now
        self._born = now

    # Bytes in.

    def receive(self, via: Via, data: bytes, now: float) -> list[Frame]:
        """Take bytes from the transport; return the frames for the layer above.

        A fault of the peer closes the machine: the frames before it are returned, `closed` is set
        and a `close` frame is queued.
        """
        frames: list[Frame] = []
        if self.state is State.CLOSED:
            return frames
        self._last_received = now
        try:
            for raw in self._unwrap(via, data, now):
                self._take(codec.decode(raw), via, frames, now)
                # The peer is gone: what it said after `close` counts for nothing. (`_take` set it.)
                if self.state is State.CLOSED:  # type: ignore[comparison-overlap]
                    break  # type: ignore[unreachable]
            if via is Via.DATAGRAM:
                self._report(now)
        except RemoteProtocolError as error:
            self.close(error.code, error.reason, now)
        return frames

    def lost(self, code: int = CloseCode.ABNORMAL, reason: str = "connection lost") -> None:
        """Tell the machine that the transport ended, with the code it gave, if any."""
        self._end(SessionClosed(code, reason, remote=True))

    # Frames out.

    def send(self, frame: Frame, now: float, *, hedge: bool = True) -> None:
        """Queue a frame. `hedge=False` keeps an urgent type on the stream alone.

        Raises LocalProtocolError when the tables do not allow it, SessionClosed after the end.
        """
        if self.closed is not None:
            raise self.closed
        kind = type(frame)
        if kind not in MAY_SEND[self.role, self.state]:
            raise LocalProtocolError(
                f"a {self.role.value} may not send {kind.__name__} while {self.state.value}"
            )
        self._queue(frame, hedge=hedge, now=now)
        if isinstance(frame, Close):
            self._end(SessionClosed(frame.code, frame.reason))
        self._advance(frame)

    def close(self, code: int, reason: str, now: float) -> None:
        """Queue a `close` frame and end. Does nothing after the end."""
        if self.closed is None:
            reason = reason[:MAX_REASON]
            self._queue(Close(int(code), reason), hedge=False, now=now)
            self._end(SessionClosed(int(code), reason))

    @property
    def queued(self) -> int:
        """Bytes of the frames that `poll` has not handed out, or not for the last time."""
        return self._queued if self._sender is None else self._sender.queued

    def poll(self, now: float) -> list[Packet]:
        """Hand out the packets due at `now`, and do what time asks for: pings and timeouts."""
        self._check_clock(now)
        if self._sender is not None:
            return self._sender.poll(now)
        out = [Packet(Via.MESSAGE, data) for data in self._messages]
        self._messages.clear()
        self._queued = 0
        return out

    def next_timer(self) -> float | None:
        """When `poll` must be called next: a time, 0.0 for at once, None for never."""
        times = [] if self.closed else [self._deadline()]
        if not self.closed and self._pings():
            times.append(self._last_sent + self.heartbeat)
        if self._messages:
            times.append(0.0)
        if self._sender is not None and (due := self._sender.next_timer()) is not None:
            times.append(due)
        return min(times, default=None)

    def _unwrap(self, via: Via, data: bytes, now: float) -> Iterable[bytes]:
        if self._receiver is None:
            self.counters.frames_received += 1
            return (data,)
        if via is Via.STREAM:
            return self._receiver.receive_stream(data)
        return self._receiver.receive_datagram(data, now)

    def _take(self, frame: Frame, via: Via, frames: list[Frame], now: float) -> None:
        kind = type(frame)
        if kind not in MAY_SEND[_PEER[self.role], self.state]:
            if via is Via.DATAGRAM and TRAITS[kind].lane is Lane.DATAGRAM:
                return  # Ephemeral frames keep no order: this one overtook `hello` or `welcome`.
            raise RemoteProtocolError(
                CloseCode.PROTOCOL_ERROR,
                f"{TRAITS[kind].name} is not allowed while {self.state.value}",
            )
        if isinstance(frame, Close):
            self._end(SessionClosed(frame.code, frame.reason, remote=True))
            return
        if isinstance(frame, Ping):
            self._queue(Pong(frame.nonce), hedge=False, now=now)
            return
        if isinstance(frame, Report):
            self._reported(frame, now)
            return
        self._advance(frame)
        if not isinstance(frame, Pong):
            frames.append(frame)

    def _advance(self, frame: Frame) -> None:
        """Where a frame takes this side, whichever side it came from."""
        if isinstance(frame, Welcome):
            self.heartbeat = max(MIN_HEARTBEAT, frame.heartbeat / 1000)
        self.state = TRANSITIONS.get((self.state, type(frame)), self.state)

    def _queue(self, frame: Frame, *, hedge: bool, now: float) -> None:
        data = codec.encode(frame)
        self._last_sent = now
        traits = TRAITS[type(frame)]
        if self._sender is None:
            self.counters.frames_sent += 1
            self._messages.append(data)
            self._queued += len(data)
        elif traits.lane is Lane.DATAGRAM and self._hedged:
            self._sender.send_ephemeral(data)
        else:
            self._sender.send(
                data,
                flow=flow_of(frame),
                hedge=hedge and traits.lane is Lane.HEDGED and self._hedged,
            )

    def _report(self, now: float) -> None:
        """Tell the peer what became of its datagrams, when there is news and it may be said."""
        meter = self._receiver.meter if self._receiver is not None else None
        if meter is None or self.closed or Report not in MAY_SEND[self.role, self.state]:
            return
        if meter.due(now):
            useful, wasted = self.counters.first_by_datagram, self.counters.wasted_received
            report = Report(meter.upto, meter.lost, meter.runs, useful, wasted)
            self._queue(report, hedge=False, now=now)
            self.counters.reports_sent += 1

    def _reported(self, report: Report, now: float) -> None:
        sender, counters = self._sender, self.counters
        if sender is not None and sender.report(report.upto, report.lost, report.runs, now):
            counters.reports_received += 1
            # What a peer claims may not exceed what there was, or it could spoil the metrics.
            counters.copies_useful = min(report.useful, counters.copies_sent)
            counters.copies_wasted = min(
                report.wasted, counters.copies_sent - counters.copies_useful
            )

    def _pings(self) -> bool:
        return self.role is Role.CLIENT and self.state in (State.LIVE, State.DRAINING)

    def _deadline(self) -> float:
        if self.state is State.NEW and self.role is Role.SERVER:
            return self._born + HELLO_DEADLINE
        return self._last_received + SILENCE * self.heartbeat

    def _check_clock(self, now: float) -> None:
        if self.closed is not None:
            return
        if now >= self._deadline():
            if self.state is State.NEW and self.role is Role.SERVER:
                self.close(CloseCode.HELLO_TIMEOUT, "no hello in time", now)
            else:
                self.close(CloseCode.HEARTBEAT_TIMEOUT, "nothing heard in time", now)
        elif self._pings() and now >= self._last_sent + self.heartbeat:
            self._nonce += 1
            self._queue(Ping(self._nonce), hedge=False, now=now)

    def _end(self, closed: SessionClosed) -> None:
        if self.closed is None:
            self.closed = closed
            self.state = State.CLOSED
