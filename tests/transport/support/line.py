"""Two QUIC connections joined by a line with a delay and holes, on a clock of the test's own."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from transport.quic.aio.configuration import configuration
from transport.quic.aio.connection import Connection
from transport.tls import Certificates


class Line:
    """`client` and `server`, with time to shake hands. Counts what each sent, and when.

    `late` are extra seconds for packets by who sends them, "client" or "server", and their number
    from 1 on; None loses one."""

    def __init__(
        self,
        folder: Path,
        *,
        delay: float,
        late: Mapping[tuple[str, int], float | None] | None = None,
        settle: float = 2.0,
    ) -> None:
        self.now = 0.0
        self.delay = delay
        self.late = late or {}
        self.met: dict[Connection, float] = {}
        """When each had done its part of the handshake."""
        self.cut: set[Connection] = set()
        """Whose packets are lost now."""
        settings = configuration(is_client=False)
        Certificates.development(folder).apply_to(settings)
        theirs = configuration(is_client=True, server_name="localhost")
        theirs.verify_mode = 0
        self.client = Connection(theirs)
        self.client.connect(("server", 1), self.now)
        self.server = Connection(settings, self.client.original_destination_connection_id)
        self.sent: dict[Connection, list[float]] = {self.client: [], self.server: []}
        self.events: dict[Connection, list[object]] = {self.client: [], self.server: []}
        self._flying: list[tuple[float, int, Connection, bytes]] = []
        self._number = count()
        self.run(settle)

    def run(self, seconds: float) -> None:
        """Let time pass: packets fly, timers ring."""
        end = self.now + seconds
        self.flush()
        while (when := self._next()) is not None and when <= end:
            self.now = max(self.now, when)
            self._land()
            for side in (self.client, self.server):
                due = side.get_timer() if side.started else None
                if due is not None and due <= self.now:
                    side.handle_timer(self.now)
            self.flush()
        self.now = end

    def flush(self) -> None:
        """Send what both have to send now."""
        for side, other in ((self.client, self.server), (self.server, self.client)):
            for data, _ in side.datagrams_to_send(self.now) if side.started else []:
                self.sent[side].append(self.now)
                who = "client" if side is self.client else "server"
                late = self.late.get((who, len(self.sent[side])), 0.0)
                if side not in self.cut and late is not None:
                    flight = (self.now + self.delay + late, next(self._number), other, data)
                    heapq.heappush(self._flying, flight)
            if side.handshake_complete:
                self.met.setdefault(side, self.now)
            while (event := side.next_event()) is not None:
                self.events[side].append(event)

    def packets(self) -> tuple[int, int]:
        """What client and server sent since this was asked last."""
        counted = (len(self.sent[self.client]), len(self.sent[self.server]))
        for sent in self.sent.values():
            sent.clear()
        return counted

    def _land(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, to, data = heapq.heappop(self._flying)
            address = ("client", 1) if to is self.server else ("server", 1)
            to.receive_datagram(data, address, self.now)
            while (event := to.next_event()) is not None:
                self.events[to].append(event)

    def _next(self) -> float | None:
        times = [self._flying[0][0]] if self._flying else []
        for side in (self.client, self.server):
            due = side.get_timer() if side.started and side.end is None else None
            if due is not None:
                times.append(due + 1e-6)
        return min(times, default=None)
