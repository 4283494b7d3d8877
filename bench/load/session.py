"""One session of the load generator: the wire's machine and what it has to say, on any carrier.

What holds always: a message goes again exactly as the real client sends it again (its `Outbox`), so
a refusal costs the server what it would cost in earnest; a session that chats keeps a ledger, one
that idles keeps nothing.
May import: transport's client (outbox) and wire; timers, ledger.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from msgspec import Raw

from bench.load.ledger import Ledger, Row
from bench.load.timers import Timers
from transport.client.outbox import MAX_OUTBOX, Outbox
from transport.errors import CloseCode, LocalProtocolError, SessionClosed
from transport.uuid7 import uuid7
from transport.wire import codec
from transport.wire.frames import (
    VERSION,
    Accepted,
    Call,
    Deliver,
    Frame,
    Hello,
    Refused,
    Result,
    Send,
    Welcome,
)
from transport.wire.lane import Packet, Via
from transport.wire.machine import Machine, Role

TEXT = "x" * 120
"""A chat message of ordinary length."""


class Carrier(Protocol):
    """What carries a session."""

    def send(self, packets: list[Packet]) -> None:
        """Hand over packets that are due."""
        ...

    def close(self) -> None:
        """Let what was sent leave, then end."""
        ...


class Book(Protocol):
    """Who is told what happens to the sessions of this process."""

    def live(self, session: Session) -> None: ...

    def over(self, session: Session, why: str) -> None: ...

    def delivered(self, session: Session, seconds: float) -> None: ...

    def accepted(self, session: Session) -> None: ...

    def refused(self, session: Session, code: str) -> None: ...


class Session:
    """One visitor's session. `clock` gives monotonic seconds."""

    __slots__ = (
        "_answers",
        "_book",
        "_calls",
        "_carrier",
        "_clock",
        "_machine",
        "_outbox",
        "_sent_at",
        "_timers",
        "_wakes",
        "armed",
        "chat",
        "ledger",
        "live",
        "over",
        "token",
    )

    def __init__(self, token: str, book: Book, timers: Timers, clock: Callable[[], float]) -> None:
        self.token = token
        self.chat: UUID | None = None
        self.ledger: Ledger | None = None
        self.live = False
        self.over = False
        self.armed = 0.0
        self._book = book
        self._timers = timers
        self._clock = clock
        self._carrier: Carrier | None = None
        self._machine: Machine | None = None
        self._outbox: Outbox | None = None
        self._sent_at: dict[UUID, float] = {}
        self._wakes: list[tuple[float, UUID]] = []
        self._answers: dict[int, asyncio.Future[Raw]] = {}
        self._calls = 0

    # What the generator asks of it.

    def say(self, text: str = TEXT) -> None:
        """Send one message, to a conversation of its own."""
        if self._outbox is None:
            self._outbox = Outbox(random.uniform, window=MAX_OUTBOX)
        if self.chat is None or self.ledger is None:
            self.chat, self.ledger = uuid7(), Ledger()
        frame = Send(uuid7(), self.chat, "message", codec.pack({"text": text}))
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._outbox.put(frame, answer)
        self.ledger.sent.append(frame.client_id)
        self._sent_at[frame.client_id] = self._clock()
        self._pump()

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        return 0 if self._outbox is None else len(self._outbox)

    async def call(self, method: str, params: Mapping[str, object]) -> Raw:
        """Ask, and wait for the answer. Raises SessionClosed."""
        self._calls += 1
        answer: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._answers[self._calls] = answer
        self._push(Call(self._calls, method, codec.pack(params)))
        if self.over:
            raise SessionClosed(CloseCode.ABNORMAL, "over")
        return await answer

    def leave(self) -> None:
        """Close it normally."""
        if self._machine is not None and not self.over:
            self._machine.close(CloseCode.NORMAL, "", self._clock())
            self._flush()
        else:
            self._end("left")

    # What its carrier tells it.

    def opened(self, carrier: Carrier, max_datagram: int | None) -> None:
        """The transport is there: say hello, and what waits along with it."""
        now = self._clock()
        self._carrier = carrier
        self._machine = Machine(Role.CLIENT, now, max_datagram=max_datagram)
        self._machine.send(Hello(VERSION, self.token, (), "tradewind-bench"), now)
        if self._outbox is not None:
            self._outbox.restart()
            for frame in self._outbox.take():
                self._machine.send(frame, now)
        self._flush()

    def received(self, via: Via, data: bytes) -> None:
        """Bytes of the session."""
        if self._machine is None or self.over:
            return
        for frame in self._machine.receive(via, data, self._clock()):
            self._take(frame)
        self._flush()

    def lost(self, why: str) -> None:
        """The transport has gone, or never came."""
        self._end(why)

    def reopen(self) -> None:
        """Forget the transport that was lost; what it knows of its messages stays."""
        self.over = self.live = False
        self._carrier = self._machine = None

    # Timers.

    def tick(self, now: float) -> None:
        """Copies, pings, and messages whose rest is over."""
        due = [conversation for when, conversation in self._wakes if when <= now]
        self._wakes = [wake for wake in self._wakes if wake[0] > now]
        if self._outbox is not None and due:
            for conversation in due:
                self._outbox.wake(conversation)
            self._pump()
        self._flush()

    # Inside.

    def _pump(self) -> None:
        for frame in self._outbox.take() if self._outbox is not None else ():
            self._push(frame)

    def _push(self, frame: Frame) -> None:
        if self._machine is None or self.over:
            return  # It goes when the session is there again.
        try:
            self._machine.send(frame, self._clock())
        except (SessionClosed, LocalProtocolError):
            return
        self._flush()

    def _flush(self) -> None:
        machine, carrier = self._machine, self._carrier
        if machine is None or carrier is None or self.over:
            return
        if packets := machine.poll(self._clock()):
            carrier.send(packets)
        closed = machine.closed
        if closed is not None and (closed.remote or not machine.queued):
            self._end(f"{closed.code} {closed.reason}")
            return
        times = [when for when, _ in self._wakes]
        if (due := machine.next_timer()) is not None:
            times.append(due)
        self._timers.arm(self, min(times, default=None))

    def _take(self, frame: Frame) -> None:
        now = self._clock()
        if isinstance(frame, Deliver):
            self._delivered(frame, now)
        elif isinstance(frame, Accepted):
            self._accepted(frame)
        elif isinstance(frame, Refused):
            self._refused(frame, now)
        elif isinstance(frame, Result):
            if (answer := self._answers.pop(frame.id, None)) is not None and not answer.done():
                answer.set_result(frame.value)
        elif isinstance(frame, Welcome):
            self.live = True
            self._book.live(self)

    def _delivered(self, frame: Deliver, now: float) -> None:
        if self.ledger is None or frame.conversation != self.chat:
            return
        self.ledger.delivered.append(Row(frame.seq, frame.client_id))
        if (sent := self._sent_at.pop(frame.client_id, None)) is not None:
            self._book.delivered(self, now - sent)

    def _accepted(self, frame: Accepted) -> None:
        if self._outbox is None or self.ledger is None:
            return
        self._outbox.accepted(frame)
        self.ledger.accepted[frame.client_id] = frame.seq
        self._book.accepted(self)

    def _refused(self, frame: Refused, now: float) -> None:
        self._book.refused(self, frame.code)
        if frame.call is not None:
            if (answer := self._answers.pop(frame.call, None)) is not None and not answer.done():
                answer.set_exception(SessionClosed(CloseCode.ABNORMAL, frame.code))
        elif frame.client_id is not None and self._outbox is not None and self.ledger is not None:
            rest = self._outbox.refused(frame)
            if frame.retry_after is None:
                self.ledger.refused.add(frame.client_id)
            elif rest is not None:
                conversation, wait = rest
                self._wakes.append((now + wait, conversation))

    def _end(self, why: str) -> None:
        if self.over:
            return
        self.over, self.live = True, False
        if self._carrier is not None:
            self._carrier.close()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(SessionClosed(CloseCode.ABNORMAL, why))
        self._answers.clear()
        self._book.over(self, why)
