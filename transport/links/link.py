"""A `Link` out of any carrier, either end: `machine.LinkMachine` in a `Shell`.

What holds always: nothing moves until `run`; the link is handed to nobody before `live`.
May import: base, machine, shell, carrier, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from transport.carrier import Carrier
from transport.errors import LocalProtocolError
from transport.links.base import (
    MAX_KEY,
    MAX_MESSAGE,
    MAX_QUEUED,
    MAX_UNREAD,
    LinkFull,
    LinkInfo,
    LinkStats,
    Message,
)
from transport.links.base import Link as Seam
from transport.links.machine import LinkMachine, State
from transport.shell import Shell
from transport.wire.lane import Via

Serve = Callable[[Seam], Awaitable[None]]
"""What works on a live link. The link is closed when it returns."""


class LinkEnd(Shell[Message, LinkMachine]):
    """A `Link`."""

    def __init__(self, carrier: Carrier, info: LinkInfo) -> None:
        now = asyncio.get_running_loop().time()
        size = carrier.max_datagram or 0
        machine = LinkMachine(now, dials=info.dialled, max_datagram=size)
        super().__init__(carrier, machine, max_unread=MAX_UNREAD, patient=True)
        self._info = info
        self._changed: list[asyncio.Future[None]] = []
        """Those who wait for another state, or for room."""

    def __str__(self) -> str:
        return f"link with {self._info.region} over {self._info.way}"

    @property
    def info(self) -> LinkInfo:
        return self._info

    @property
    def stats(self) -> LinkStats:
        machine, counters = self._machine, self._machine.counters
        return LinkStats(
            rtt=machine.rtt,
            loss=counters.loss if counters.copies else None,
            copies=counters.copies,
            sent=machine.sent,
            received=machine.received,
            bytes_sent=machine.bytes_sent,
            bytes_received=machine.bytes_received,
            copies_sent=counters.copies_sent,
            copies_useful=counters.copies_useful,
            copies_unpaid=counters.copies_unpaid,
            waiting=self.waiting,
        )

    def send(self, key: bytes, data: bytes) -> None:
        self._raise_if_closed()
        if len(key) > MAX_KEY or len(data) > MAX_MESSAGE:
            raise LocalProtocolError(f"a key of {len(key)} or a message of {len(data)} bytes")
        if self.waiting + len(key) + len(data) > MAX_QUEUED:
            raise LinkFull(f"{self.waiting} bytes wait for {self._info.region} already")
        self._machine.send(key, data)
        self._flush(self._loop.time())

    async def drained(self) -> None:
        await self._until(lambda: self.waiting <= MAX_QUEUED // 2)

    # For those who make links.

    async def greeted(self) -> None:
        """Wait until the peer has said hello. Raises SessionClosed."""
        await self._until(lambda: self._machine.state is not State.NEW)

    async def live(self) -> None:
        """Wait until the dialler has begun. Raises SessionClosed."""
        await self._until(lambda: self._machine.state is State.LIVE)

    def begin(self) -> None:
        """Use it: the dialler has chosen this one."""
        now = self._loop.time()
        self._machine.begin(now)
        self._flush(now)

    # Inside.

    async def _until(self, there: Callable[[], bool]) -> None:
        self._raise_if_closed()
        while not there():
            future = self._loop.create_future()
            self._changed.append(future)
            await future
            self._raise_if_closed()

    async def _wait_for_room(self) -> None:
        if len(self._inbox) < self._max_unread:
            return
        self._machine.pause()
        try:
            await super()._wait_for_room()
        finally:
            self._machine.resume(self._loop.time())

    async def _take(self, via: Via, data: bytes) -> None:
        await super()._take(via, data)
        self._progressed()

    def _flush(self, now: float) -> None:
        super()._flush(now)
        self._progressed()

    def _progressed(self) -> None:
        if self._changed:
            changed, self._changed = self._changed, []
            for future in changed:
                if not future.done():
                    future.set_result(None)

    def _cut(self) -> None:
        super()._cut()
        self._progressed()
