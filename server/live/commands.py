"""What a welcomed client may ask, frame by frame: a table of rate, line and handler.

What holds always: every `send` and every `call` gets exactly one answer, be it a refusal; what asks
for no answer (typing, received, read) is dropped in silence when it is too much or not theirs;
commands are carried out in the order in which they came, calls in the order of calls; a send that
was refused for now is not overtaken by a later one of its conversation (turns.py).
May import: domain, service, live; bus's events; the frames of transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from server.bus.base import Reached, Typed
from server.domain.refusal import Code, Refusal
from server.live.calls import Calls
from server.live.follower import Follower
from server.live.hub import Hub
from server.live.line import Line
from server.live.turns import Turns
from server.metrics import Metrics
from server.service.chat import Chat
from server.service.guard import guarded
from server.service.ratelimit import Bucket, Rate
from transport.errors import SessionClosed
from transport.wire.frames import (
    Accepted,
    Call,
    Frame,
    Read,
    Received,
    Refused,
    Result,
    Send,
    Typing,
)

SENDS = Rate(per_second=5, burst=20)
CALLS = Rate(per_second=10, burst=40)
SIGNALS = Rate(per_second=10, burst=40)
"""Rates of one session: docs/protocol.md, section 11."""
MAX_WAITING = 64
"""Commands, and as many calls, of one session that wait for the store. Over it: `busy`."""


class Route(NamedTuple):
    """How one type of frame is treated: which bucket pays for it, and whose order it keeps."""

    bucket: str
    line: str
    handle: Callable[[Follower, Any], Awaitable[None]]


_RATES = {"sends": SENDS, "calls": CALLS, "signals": SIGNALS}
_LINES = ("commands", "calls")


class _Allowance:
    """What one session has: its buckets, made when first needed, and its lines."""

    __slots__ = ("_buckets", "arrived", "lines", "turns")

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._buckets: dict[str, Bucket] = {}
        self.lines = {name: Line(tasks, MAX_WAITING) for name in _LINES}
        self.turns = Turns()
        self.arrived = 0

    def take(self, bucket: str, now: float) -> float:
        """0.0, or the seconds until the session may do this."""
        if bucket not in self._buckets:
            self._buckets[bucket] = Bucket(_RATES[bucket], now)
        return self._buckets[bucket].take(now)


class Commands:
    """Carries out what clients ask."""

    def __init__(
        self,
        chat: Chat,
        calls: Calls,
        hub: Hub,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._chat = chat
        self._calls = calls
        self._hub = hub
        self._metrics = metrics
        self._clock = clock
        self._routes: dict[type, Route] = {
            Send: Route("sends", "commands", self._send),
            Read: Route("signals", "commands", self._read),
            Call: Route("calls", "calls", self._call),
            Typing: Route("signals", "calls", self._typing),
            Received: Route("signals", "calls", self._received),
        }

    async def serve(self, follower: Follower) -> None:
        """Take frames until the session ends, and finish what was begun."""
        try:
            # Most sessions never ask for anything: what it takes to answer is made with the first.
            first = await follower.session.receive()
        except SessionClosed:
            return
        await self._answer(follower, first)

    async def _answer(self, follower: Follower, frame: Frame) -> None:
        """Take this frame and those after it."""
        async with asyncio.TaskGroup() as tasks:
            allowance = _Allowance(tasks)
            try:
                while True:
                    self._take(follower, frame, allowance)
                    frame = await follower.session.receive()
            except SessionClosed:
                # Not raised through the group, which would cancel what is under way.
                for line in allowance.lines.values():
                    line.stop()

    def _take(self, follower: Follower, frame: Frame, allowance: _Allowance) -> None:
        route = self._routes.get(type(frame))
        if route is None:
            return  # The machine let it through, and there is nothing to do for it.
        allowance.arrived += 1
        refuse = partial(self._refuse, follower, frame, allowance, allowance.arrived)
        if wait := allowance.take(route.bucket, self._clock()):
            refuse(Refusal(Code.RATE_LIMITED, "too fast; slow down", int(wait * 1000) + 1))
            return
        work = partial(self._run, route, follower, frame, allowance, allowance.arrived)
        if not allowance.lines[route.line].put(work):
            refuse(Refusal(Code.BUSY, "too much of yours waits already"))

    async def _run(
        self, route: Route, follower: Follower, frame: Frame, allowance: _Allowance, number: int
    ) -> None:
        try:
            if isinstance(frame, Send):
                chat, id, now = frame.conversation, frame.client_id, self._clock()
                if shared := allowance.turns.check(number, chat, id, now):
                    raise shared
            await route.handle(follower, frame)
        except Refusal as refusal:
            self._refuse(follower, frame, allowance, number, refusal)

    def _refuse(
        self,
        follower: Follower,
        frame: Frame,
        allowance: _Allowance,
        number: int,
        refusal: Refusal,
    ) -> None:
        """Answer what asked for an answer; drop the rest."""
        self._metrics.refused.labels(refusal.code).inc()
        if isinstance(frame, Send):
            chat, id, now = frame.conversation, frame.client_id, self._clock()
            allowance.turns.refused(number, chat, id, refusal, now)
        if isinstance(frame, Send | Call):
            follower.tell(
                Refused(
                    refusal.code,
                    refusal.message,
                    refusal.retry_after,
                    client_id=frame.client_id if isinstance(frame, Send) else None,
                    call=frame.id if isinstance(frame, Call) else None,
                )
            )

    async def _send(self, follower: Follower, frame: Send) -> None:
        entry = await self._chat.send(
            follower.caller, frame.client_id, frame.conversation, frame.kind, frame.body
        )
        self._metrics.accepted.labels(entry.kind).inc()
        follower.tell(
            Accepted(frame.client_id, entry.conversation, entry.epoch, entry.seq, entry.at)
        )

    async def _read(self, follower: Follower, frame: Read) -> None:
        if await self._chat.read(follower.caller, frame.conversation, frame.seq) is not None:
            self._metrics.accepted.labels("read").inc()

    async def _call(self, follower: Follower, frame: Call) -> None:
        value = await self._calls.answer(follower.caller, frame.method, frame.params)
        follower.tell(Result(frame.id, value))

    async def _typing(self, follower: Follower, frame: Typing) -> None:
        visitor = await self._visitor(follower, frame.conversation)
        event = Typed(visitor, frame.conversation, follower.caller.who, frame.on)
        self._hub.publish(follower.caller.shop, event)

    async def _received(self, follower: Follower, frame: Received) -> None:
        visitor = await self._visitor(follower, frame.conversation)
        event = Reached(visitor, frame.conversation, follower.caller.who, frame.seq)
        self._hub.publish(follower.caller.shop, event)

    async def _visitor(self, follower: Follower, conversation: UUID) -> UUID:
        """Whose conversation it is. Raises Refusal when it is none of the caller's."""
        with guarded():
            known = await self._chat.owned(follower.caller, conversation)
        return known.record.visitor
