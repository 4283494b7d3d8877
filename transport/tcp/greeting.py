"""Connections that have not said what they want yet, and how long they may take over it.

What holds always: a connection leaves here exactly once: with a verdict on its first words, or cut.
Bounds: GREETING_DEADLINE seconds for the TLS handshake and the first request's head; over
MAX_GREETING connections the oldest is cut, or, when even that is younger than FRESH, the new one,
so that neither a few who say nothing nor a rush of newcomers starves the rest.

May import: link, head, alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from transport.alarm import Alarm
from transport.tcp import head
from transport.tcp.head import Head, Verdict
from transport.tcp.link import Link

GREETING_DEADLINE = 15.0
"""Seconds from the accept to the end of the first request's head."""
MAX_GREETING = 2_048
"""Connections in here."""
FRESH = 2.0
"""Seconds a connection has in any case."""

Heard = Callable[[Link, Head | Verdict, bytes], None]


class Lobby:
    """Holds them. `heard` gets a link with a `Head`, or with what it sent instead of one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str | None) -> None:
        """`path` is where sessions are; None: nowhere."""
        self._loop = loop
        self._path = path
        self._since: dict[Link, float] = {}
        """The oldest first."""
        self._alarm = Alarm(loop, self._cut_late)
        self.late = 0
        """Connections cut for saying nothing."""

    def __len__(self) -> int:
        return len(self._since)

    def enter(self, link: Link, heard: Heard) -> None:
        """Hear what it has to say."""
        now = self._loop.time()
        if len(self._since) >= MAX_GREETING:
            oldest, since = next(iter(self._since.items()))
            self._cut(oldest if now - since >= FRESH else link)
        if link.open:
            self._since[link] = now
            link.owner = _Greeting(self, link, heard)
            self._alarm.arm(now + GREETING_DEADLINE)

    def leave(self, link: Link) -> None:
        """It is somebody else's now, or gone. Does nothing when it was not here."""
        self._since.pop(link, None)

    def close(self) -> None:
        """Let all of them go."""
        self._alarm.cancel()
        for link in tuple(self._since):
            link.close()

    def verdict(self, link: Link, data: bytearray) -> Head | Verdict:
        """What this connection wants."""
        if self._path is None or link.alpn == "h2":
            return Verdict.OTHER
        return head.read(data, self._path)

    def _cut(self, link: Link) -> None:
        self.late += 1
        self._since.pop(link, None)
        link.abort()

    def _cut_late(self, now: float) -> None:
        for link, since in tuple(self._since.items()):
            if since + GREETING_DEADLINE > now:
                self._alarm.arm(since + GREETING_DEADLINE)
                return
            self._cut(link)


class _Greeting:
    """The owner of a link in the lobby."""

    __slots__ = ("_data", "_heard", "_link", "_lobby")

    def __init__(self, lobby: Lobby, link: Link, heard: Heard) -> None:
        self._lobby = lobby
        self._link = link
        self._heard = heard
        self._data = bytearray()

    def received(self, data: bytes) -> None:
        self._data += data
        verdict = self._lobby.verdict(self._link, self._data)
        if verdict is not Verdict.MORE:
            self._lobby.leave(self._link)
            self._heard(self._link, verdict, bytes(self._data))

    def ended(self) -> None:
        self._link.close()
