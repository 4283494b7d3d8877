"""One session in the life of a client: what it waits for there.

May import: client errors, driver, wire, errors.
"""

from __future__ import annotations

import asyncio
from typing import Any

from transport.client.errors import DialError
from transport.driver import Driver
from transport.errors import CloseCode, SessionClosed
from transport.wire.frames import Drain, Welcome


class Link:
    """A session with its three moments: welcomed, told to go, over."""

    __slots__ = ("drain", "over", "session", "welcome")

    def __init__(self, session: Driver) -> None:
        loop = asyncio.get_running_loop()
        self.session = session
        self.welcome: asyncio.Future[Welcome] = loop.create_future()
        self.drain: asyncio.Future[Drain] = loop.create_future()
        self.over: asyncio.Future[SessionClosed] = loop.create_future()

    async def welcomed(self) -> Welcome:
        """Wait for `welcome`. Raises SessionClosed when the end comes first."""
        await self._first_of(self.welcome)
        return self.welcome.result()

    async def told_to_go(self) -> float:
        """Wait for `drain`: the seconds it leaves. Raises SessionClosed when the end comes."""
        await self._first_of(self.drain)
        return self.drain.result().deadline / 1000

    async def ends_within(self, seconds: float) -> bool:
        """Wait that long, or less when the end comes; say whether it came."""
        await asyncio.wait([self.over], timeout=seconds)
        return self.over.done()

    async def answered(self) -> None:
        """Wait for `welcome` or a close code. Raises DialError when its transport came to
        nothing."""
        moments: list[asyncio.Future[Any]] = [self.welcome, self.over]
        await asyncio.wait(moments, return_when=asyncio.FIRST_COMPLETED)
        if not self.welcome.done() and self.over.result().code == CloseCode.ABNORMAL:
            raise DialError(f"the server did not answer: {self.over.result().reason}")

    async def _first_of(self, moment: asyncio.Future[Welcome] | asyncio.Future[Drain]) -> None:
        await asyncio.wait([moment, self.over], return_when=asyncio.FIRST_COMPLETED)
        if not moment.done():
            raise self.over.result()
