"""One link to a region, for ever: dialled again when it ends, moved back to QUIC when that works.

    dialler = Dialler(Target("eu", "eu.example", 7443), credentials, serve)
    tasks.create_task(dialler.run())

What holds always: `serve` works on one link at a time, and the next begins after it has returned;
a new attempt waits, longer each time and never the same for everybody, until a link has lived for
STEADY seconds; a link over TCP is given up for one over QUIC once that one is there, and not
before. Cancelling `run` closes the link with GOING_AWAY.
May import: dial, link, client's backoff.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import structlog

from transport.client.backoff import Backoff
from transport.client.errors import DialError
from transport.errors import CloseCode
from transport.links.base import Link, Way
from transport.links.credentials import Credentials
from transport.links.dial import HEAD_START, Dial, Target
from transport.links.link import LinkEnd, Serve

LONGEST = 5.0
"""Seconds that a wait between two attempts lasts at most: a region is dialled by few."""
STEADY = 5.0
"""Seconds that a link lives before its end counts as a new trouble."""
RETRY_QUIC = 20.0
"""Seconds between two attempts over QUIC while a link goes over TCP."""
REMEMBER = 60.0
"""Seconds for which QUIC is not tried first after TCP has won."""

log = structlog.get_logger("tradewind.links")

Tell = Callable[[Link | None], None]
"""Told of the link when there is one, and of None when there is none any more."""


def nobody(link: Link | None) -> None:
    """Who wants to hear nothing."""


class Dialler:
    """Keeps a link to one region."""

    def __init__(
        self,
        target: Target,
        credentials: Credentials,
        serve: Serve,
        *,
        tell: Tell = nobody,
        ways: tuple[Way, ...] = (Way.QUIC, Way.TCP),
        head_start: float = HEAD_START,
        retry_quic: float = RETRY_QUIC,
        random: Random | None = None,
    ) -> None:
        self.target = target
        self.link: Link | None = None
        """The one that lives, if there is one."""
        self.trouble: str | None = None
        """Why there is none, as far as is known."""
        self._credentials = credentials
        self._serve = serve
        self._tell = tell
        self._ways = ways
        self._head_start = head_start
        self._retry_quic = retry_quic
        self._random = random or Random()
        self._backoff = Backoff(self._random, LONGEST)
        self._doubt_until = 0.0

    async def run(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as tasks:
            dial = Dial(self.target, self._credentials, tasks)
            while True:
                if (link := await self._try(dial)) is not None:
                    await self._keep(dial, link)
                await asyncio.sleep(self._backoff.next())

    async def _try(self, dial: Dial) -> LinkEnd | None:
        ways = self._ways
        now = asyncio.get_running_loop().time()
        if now < self._doubt_until:
            ways = tuple(sorted(ways, key=lambda way: way is Way.QUIC))
        try:
            link = await dial.first_of(ways, self._head_start)
        except DialError as error:
            if str(error) != self.trouble:
                log.warning("link.not_dialled", region=self.target.region, reason=str(error))
            self.trouble = str(error)
            return None
        if link.info.way is Way.TCP and Way.QUIC in ways:
            self._doubt_until = now + REMEMBER
        return link

    async def _keep(self, dial: Dial, link: LinkEnd) -> None:
        """Until there is no link any more, whichever way it has moved meanwhile."""
        loop = asyncio.get_running_loop()
        following: LinkEnd | None = link
        while following is not None:
            link, since = following, loop.time()
            following = await self._use(dial, link)
            if loop.time() - since >= STEADY:
                self._backoff.reset()

    async def _use(self, dial: Dial, link: LinkEnd) -> LinkEnd | None:
        """Let it be worked on; the link that takes its place, if it was given up for one."""
        async with asyncio.TaskGroup() as tasks:
            self._up(link)
            serving = tasks.create_task(link.served(self._serve))
            try:
                return await self._until_better(dial, link)
            finally:
                link.close(CloseCode.GOING_AWAY, "the dialler goes")
                await link.wait_closed()
                await serving
                self._down(link)

    async def _until_better(self, dial: Dial, link: LinkEnd) -> LinkEnd | None:
        """Wait for the end of the link, or for one over QUIC in the place of one over TCP."""
        while link.info.way is Way.TCP and Way.QUIC in self._ways:
            try:
                async with asyncio.timeout(self._random.uniform(0.5, 1.0) * self._retry_quic):
                    await link.wait_closed()
                return None
            except TimeoutError:
                pass
            try:
                better = await dial.first_of((Way.QUIC,))
            except DialError:
                continue
            self._doubt_until = 0.0
            return better
        await link.wait_closed()
        return None

    def _up(self, link: LinkEnd) -> None:
        link.begin()
        self.link, self.trouble = link, None
        log.info("link.up", region=self.target.region, way=str(link.info.way), dialled=True)
        self._tell(link)

    def _down(self, link: LinkEnd) -> None:
        self.link = None
        log.info("link.down", region=self.target.region, way=str(link.info.way), dialled=True)
        self._tell(None)
