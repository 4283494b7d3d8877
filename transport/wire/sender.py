"""The sending half of the hedged lane: numbers frames, gives each a plan, and schedules its copies.

What holds always:
- every numbered frame goes on the stream exactly once, in number order, whatever the copies do;
- no two copies of one frame come out of the same `poll` (so they never share a packet).

Bounds: a receiver drops what lies WINDOW ahead of the stream, so a frame more than WINDOW back
needs no naming: over twice as many flows, those silent for so long are forgotten.
Copies are paid from hedge.py's budget, which bounds what is held for them too.
Times are seconds on any monotonic clock, given by the caller.
May import: lane's words, hedge, loss, varint.
"""

from __future__ import annotations

import heapq
from typing import ClassVar

from transport.wire import hedge, varint
from transport.wire.hedge import Budget, Plan, Policy
from transport.wire.lane import WINDOW, Counters, Packet, Via
from transport.wire.loss import PRIOR, LossEstimate

SEQ_ROOM = 8
"""Bytes kept free in a datagram for its `seq`, which is not known when the frame is taken."""
REPLAN = 1.0
"""Seconds for which a plan stands without a report; only the passing of time changes it then."""


class _Pending:
    """A numbered frame whose copies are not all out."""

    __slots__ = ("datagram", "frame", "number", "plan", "ready", "slot", "streamed")

    def __init__(self, number: int, frame: bytes, datagram: bytes) -> None:
        self.number = number
        self.frame = frame
        self.datagram = datagram
        """All of it but the `seq`."""
        self.plan: Plan = hedge.STREAM_ALONE
        self.slot = 0
        """Which copy of the plan is next."""
        self.ready = True
        """Whether it may go on the stream when it is its turn there."""
        self.streamed: float | None = None


class _Hedging:
    """What a sender knows of its way: the loss there, the plan that fits it, and the budget."""

    __slots__ = ("_counters", "_frames", "_plan", "_policy", "_until", "budget", "estimate")

    def __init__(self, counters: Counters, policy: Policy) -> None:
        self.estimate = LossEstimate()
        self.budget = Budget(policy)
        self._counters = counters
        self._policy = policy
        self._plan = hedge.plan(PRIOR, policy)
        self._until = 0.0
        self._frames = 0
        counters.loss, counters.again = PRIOR
        counters.copies = self._plan.copies

    def refresh(self, now: float) -> None:
        loss = self.estimate.loss(now)
        self._plan = hedge.plan(loss, self._policy)
        self._until = now + REPLAN
        self._counters.loss, self._counters.again = loss
        self._counters.copies = self._plan.copies

    def plan(self, size: int, now: float) -> Plan:
        """The plan of the next frame, whose datagrams have `size` bytes."""
        if now >= self._until:
            self.refresh(now)
        plan = self._plan
        if plan is hedge.STREAM_ALONE:
            self._frames += 1
            if self._frames % hedge.PROBE:
                return plan
            plan = hedge.PROBING
        wanted = plan.copies - 1
        paid = self.budget.take(size, wanted, now)
        self._counters.copies_unpaid += wanted - paid
        return plan if paid == wanted else self._policy.plans[paid]


class LaneSender:
    """The sending half: numbers frames and schedules their copies."""

    __slots__ = (
        "_copies",
        "_counters",
        "_flows",
        "_fresh",
        "_hedging",
        "_max_datagram",
        "_number",
        "_pending",
        "_seq",
        "queued",
    )

    window: ClassVar[int] = WINDOW

    def __init__(
        self, max_datagram: int, counters: Counters, policy: Policy = hedge.SESSION
    ) -> None:
        self._max_datagram = max_datagram
        self._counters = counters
        self._hedging = _Hedging(counters, policy) if max_datagram else None
        self.queued = 0
        """Bytes of the frames still held: numbered ones not yet on the stream, ephemeral ones."""
        self._number = 0
        self._seq = 0
        self._flows: dict[bytes, int] = {}
        self._pending: dict[int, _Pending] = {}
        """Not on the stream yet, in number order, for dictionaries keep the order of insertion."""
        self._fresh: list[bytes | _Pending] = []
        """What starts at the next poll: an ephemeral frame, or a new one that may be hedged."""
        self._copies: list[tuple[float, int, _Pending]] = []
        """A heap of (due, number, frame): each one's next copy, once the first is out."""

    def send(self, frame: bytes, *, flow: bytes | None, hedge: bool) -> None:
        """Take one numbered frame. Without `hedge`, or too large, it goes by the stream alone."""
        self._number += 1
        self.queued += len(frame)
        self._counters.frames_sent += 1
        number = self._number
        back = self._back(number, flow)
        datagram = self._part(varint.encode(number) + varint.encode(back), frame)
        pending = self._pending[number] = _Pending(number, frame, datagram)
        if hedge and SEQ_ROOM + len(datagram) <= self._max_datagram:
            pending.ready = False
            self._fresh.append(pending)

    def send_ephemeral(self, frame: bytes) -> bool:
        """Send once as a datagram; too large for one, it is dropped, and the answer is False."""
        if len(frame) + SEQ_ROOM + 2 > self._max_datagram:
            return False
        self._counters.frames_sent += 1
        self.queued += len(frame)
        self._fresh.append(self._part(b"\x00\x00", frame))
        return True

    def report(self, upto: int, lost: int, runs: int, now: float) -> bool:
        """The peer says what became of our datagrams. False when it is old or cannot be true."""
        if self._hedging is None or upto > self._seq:
            return False
        if not self._hedging.estimate.report(upto, lost, runs, now):
            return False
        self._hedging.refresh(now)
        return True

    def poll(self, now: float) -> list[Packet]:
        """Hand out everything due at `now`. The caller lets packets go before it polls again."""
        later = self._due_copies(now)
        first = self._start(now)
        out = self._poll_stream(now)
        for pending in later:
            if pending.streamed == now:  # Not in one poll with its stream copy: once more later.
                heapq.heappush(self._copies, (now + hedge.GAP, pending.number, pending))
            else:
                out.append(self._copy(pending, now))
        for item in first:
            if isinstance(item, bytes):
                out.append(self._datagram(item))
            else:
                out.append(self._copy(item, now))
        return out

    def next_timer(self) -> float | None:
        """When `poll` next has something: a time, 0.0 for at once, None for never."""
        head = next(iter(self._pending.values()), None)
        if self._fresh or (head is not None and head.ready):
            return 0.0
        return self._copies[0][0] if self._copies else None

    def _start(self, now: float) -> list[bytes | _Pending]:
        """Give every new frame its plan; return the datagrams that go out at once."""
        first: list[bytes | _Pending] = []
        for item in self._fresh:
            if isinstance(item, bytes):
                self.queued -= len(item) - 2
                first.append(item)
                continue
            assert self._hedging is not None  # Where there are no datagrams, nothing is hedged.
            item.plan = self._hedging.plan(SEQ_ROOM + len(item.datagram), now)
            if item.plan.stream > 0:
                first.append(item)
            else:
                item.ready = True
                self._next_slot(item, now)
        self._fresh.clear()
        return first

    def _due_copies(self, now: float) -> list[_Pending]:
        """Take what is due off the heap: frames may go on the stream, others are returned."""
        due: list[_Pending] = []
        while self._copies and self._copies[0][0] <= now:
            pending = heapq.heappop(self._copies)[2]
            if pending.slot == pending.plan.stream:
                pending.ready = True
                self._next_slot(pending, now)
            else:
                due.append(pending)
        return due

    def _next_slot(self, pending: _Pending, now: float) -> None:
        """Schedule the copy after this one: from now, not from when this one was due, so that
        after a stall copies do not bunch up."""
        if pending.slot < len(pending.plan.gaps):
            due = now + pending.plan.gaps[pending.slot]
            pending.slot += 1
            heapq.heappush(self._copies, (due, pending.number, pending))

    def _poll_stream(self, now: float) -> list[Packet]:
        """Put on the stream what is due, in number order: a frame never overtakes another there."""
        gone = []
        for pending in self._pending.values():
            if not pending.ready:
                break
            gone.append(pending)
        for pending in gone:
            del self._pending[pending.number]
            pending.streamed = now
            self.queued -= len(pending.frame)
        if gone and not self._pending:
            self._pending = {}  # A dictionary that was emptied keeps its room: most sessions idle.
        return [Packet(Via.STREAM, varint.encode(len(p.frame)) + p.frame) for p in gone]

    def _part(self, head: bytes, frame: bytes) -> bytes:
        """A frame as it is in a datagram, behind its number and how far back it looks."""
        return head + frame

    def _copy(self, pending: _Pending, now: float) -> Packet:
        self._next_slot(pending, now)
        self._counters.copies_sent += 1
        return self._datagram(pending.datagram)

    def _datagram(self, data: bytes) -> Packet:
        self._seq += 1
        self._counters.datagrams_sent += 1
        return Packet(Via.DATAGRAM, varint.encode(self._seq) + data)

    def _back(self, number: int, flow: bytes | None) -> int:
        """How far back the frame lies that must be handed up before `number`; 0 for none."""
        if flow is None:
            return number - 1
        before = self._flows.get(flow, 1)
        self._flows[flow] = number
        if len(self._flows) > 2 * self.window:
            # A receiver that takes `number` has everything a window back: order needs no more.
            self._flows = {f: n for f, n in self._flows.items() if n > number - self.window}
        return number - before
