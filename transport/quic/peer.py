"""One QUIC connection on an event loop: packets in, packets out, one timer, one handler.

The endpoint (server) and dial (client) each give it packets and take its packets; what happens on
the connection goes to its `Handler`.

What holds always: an exception while handling this connection closes it with INTERNAL_ERROR, is
logged once and reaches nobody else; packets go out once per loop turn, however many were queued;
there is one alarm, moved only when it must ring earlier; `lost` is called exactly once, when either
side begins to close, and nothing is handed to the handler after it; `gone` is called exactly once,
when nothing of the connection is left.
May import: aio, alarm, turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    QuicEvent,
)
from aioquic.quic.packet import QuicErrorCode

from transport.alarm import Alarm
from transport.quic.aio.connection import Connection
from transport.turn import Turn

HANDSHAKE_DEADLINE = 10.0
"""Seconds a handshake may take. Then the connection is dropped without a word."""

clock = time.monotonic
"""Not the loop's: uvloop's stands still during a turn and steps by milliseconds."""

log = structlog.get_logger("tradewind.quic")

Transmit = Callable[[bytes, Any], None]


class Handler(Protocol):
    """What happens on a connection."""

    def handle(self, event: QuicEvent) -> None:
        """Something arrived."""
        ...

    def progressed(self) -> None:
        """Packets were handled: acknowledgements may have made room to send."""
        ...

    def lost(self, code: int, reason: str) -> None:
        """The connection is over."""
        ...


class Identities(Protocol):
    """Who routes packets by connection ID."""

    def issued(self, peer: Peer, connection_id: bytes) -> None: ...

    def retired(self, peer: Peer, connection_id: bytes) -> None: ...

    def gone(self, peer: Peer) -> None: ...


class Peer:
    """Drives one Connection."""

    def __init__(self, quic: Connection, transmit: Transmit, identities: Identities) -> None:
        self.quic = quic
        self.handler: Handler | None = None
        self.connection_ids: set[bytes] = set()
        self.sent: Callable[[float], None] | None = None
        """Told of every flush: a client watches over its path."""
        self._transmit = transmit
        self._identities = identities
        loop = asyncio.get_running_loop()
        self._turn = Turn.of(loop)
        self._alarm = Alarm(loop, self._rang)
        self._born = clock()
        self._deadline = self._born + HANDSHAKE_DEADLINE
        self._flushing = False
        self._lost = False
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether nothing is left of it."""
        return self._gone

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return clock() - self._born

    @staticmethod
    def now() -> float:
        """The clock of connections."""
        return clock()

    def receive(self, data: bytes, address: Any) -> None:
        """Take a packet."""
        try:
            self.quic.receive_datagram(data, address, clock())
            self._handle_events()
        except Exception as error:
            self._fail(error)
        if not self._flushing:
            # One turn later than a send: what the packet woke gets to answer in the same datagram
            # that acknowledges it.
            self._flushing = True
            self._turn.one_later(self._flush)

    def flush(self) -> None:
        """Send what is queued, at the end of this turn of the loop."""
        if not self._flushing and not self._gone:
            self._flushing = True
            self._turn.at_end(self._flush)

    def close(self, code: int = QuicErrorCode.NO_ERROR, reason: str = "") -> None:
        """Tell the peer and end. The handler hears of it like of any other end."""
        if not self._gone:
            self.quic.close(code, reason_phrase=reason)
            self.flush()

    def drop(self) -> None:
        """Forget the connection now, without a word."""
        if self._gone:
            return
        self._gone = True
        self._alarm.close()
        self._tell_lost()
        self._identities.gone(self)
        # What refers to each other is freed late, and by a collector that stops everybody.
        self.handler = self.sent = None
        self.quic.let_go()

    def fail(self, error: Exception) -> None:
        """A fault in what handles this connection: log it and close this connection only."""
        self._fail(error)
        self.flush()

    def _handle_events(self) -> None:
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionIdIssued):
                self._identities.issued(self, event.connection_id)
            elif isinstance(event, ConnectionIdRetired):
                self._identities.retired(self, event.connection_id)
            elif isinstance(event, ConnectionTerminated):
                self.drop()
            elif self.handler is not None and not self._lost:
                self.handler.handle(event)
        if self.quic.end is not None:
            self._tell_lost()
        elif self.handler is not None:
            self.handler.progressed()

    def _tell_lost(self) -> None:
        if self._lost:
            return
        self._lost = True
        if self.handler is not None:
            code, reason = self.quic.end or (int(QuicErrorCode.NO_ERROR), "dropped")
            try:
                self.handler.lost(code, reason)
            except Exception as error:
                log.error("quic.handler_failed", exc_info=error)

    def _fail(self, error: Exception) -> None:
        log.error("quic.connection_failed", exc_info=error)
        self.quic.close(QuicErrorCode.INTERNAL_ERROR, reason_phrase="internal error")
        self._tell_lost()

    def _flush(self) -> None:
        self._flushing = False
        if self._gone:
            return
        if not self.quic.started:
            self.drop()
            return
        try:
            self._flush_once()
        except Exception as error:
            # Where even the packet builder fails there is nothing left to say.
            log.error("quic.flush_failed", exc_info=error)
            self.drop()

    def _flush_once(self) -> None:
        now = clock()
        for data, address in self._datagrams(now):
            self._transmit(data, address)
        self._handle_events()  # sending issues connection IDs
        if not self._gone:
            self._alarm.arm(self._due())
            if self.sent is not None:
                self.sent(now)

    def _datagrams(self, now: float) -> list[tuple[bytes, Any]]:
        datagrams = self.quic.datagrams_to_send(now)
        if datagrams and self.quic.early and not self.quic.handshake_complete:
            # What does not fit beside the first packet of a handshake, aioquic leaves for the next
            # call; early data should not wait for anything.
            datagrams += self.quic.datagrams_to_send(now)
        return datagrams

    def _due(self) -> float | None:
        due = self.quic.get_timer()
        if self.quic.handshake_complete or self.quic.end is not None:
            return due
        return self._deadline if due is None else min(due, self._deadline)

    def _rang(self, _: float) -> None:
        if self._gone:
            return
        now = clock()
        due = self._due()
        if due is not None and now < due:
            self._alarm.arm(due)
            return
        if not self.quic.handshake_complete and now >= self._deadline and self.quic.end is None:
            log.info("quic.handshake_timeout")
            self.drop()
            return
        try:
            self.quic.handle_timer(now)
            self._handle_events()
        except Exception as error:
            self._fail(error)
        self._flush()
