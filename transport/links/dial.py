"""One attempt to have a link with a region: QUIC first, TCP after a head start.

What holds always: what comes out is a link that both ends have greeted on, and that nobody else
uses; every other attempt leaves nothing behind. Each attempt has DIAL_TIMEOUT seconds.
May import: credentials, link, guard, quic, tcp, client's race, quic.dial's resolve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from transport.client.errors import DialError
from transport.client.race import race
from transport.client.udp import STAGGER
from transport.errors import CloseCode, SessionClosed
from transport.links.base import LinkInfo, Way
from transport.links.credentials import BAD_CERTIFICATE, Credentials, PeerRefused, why
from transport.links.guard import run_guarded
from transport.links.link import LinkEnd
from transport.links.quic import Chain, QuicCarrier, dial_quic
from transport.links.tcp import TcpCarrier, dial_tcp
from transport.quic.dial import Address, resolve
from transport.quic.dial import DialError as NoAddress
from transport.quic.door import normalise

DIAL_TIMEOUT = 5.0
"""Seconds that one way may take until the peer has said hello."""
HEAD_START = 1.0
"""Seconds that the first way has before the second is tried: QUIC needs two round trips."""


Reached = tuple[QuicCarrier | TcpCarrier, tuple[str, int]]
"""A connection, and the address it leads to."""


class Target(Struct, frozen=True):
    """Where a region listens, and who must be there."""

    region: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.region} at {self.host} port {self.port}"


class Dial:
    """Attempts to reach one region. The links it makes run among `tasks`."""

    def __init__(self, target: Target, credentials: Credentials, tasks: asyncio.TaskGroup) -> None:
        self._target = target
        self._credentials = credentials
        self._tasks = tasks

    async def first_of(self, ways: Sequence[Way], head_start: float = HEAD_START) -> LinkEnd:
        """The first link that comes about, the earlier ways first. Raises DialError."""
        return await race([partial(self._attempt, way) for way in ways], head_start, _drop)

    async def _attempt(self, way: Way) -> LinkEnd:
        """A link that the peer has greeted on. Raises DialError."""
        link: LinkEnd | None = None
        try:
            async with asyncio.timeout(DIAL_TIMEOUT):
                carrier, peer = await self._carrier(way)
                info = LinkInfo(region=carrier.region, way=way, peer=peer, dialled=True)
                link = LinkEnd(carrier, info)
                self._tasks.create_task(run_guarded(link, carrier.chain, self._credentials))
                await link.greeted()
                return link
        except (SessionClosed, DialError, NoAddress, OSError, TimeoutError) as error:
            if link is not None:
                link.abort()
            reason = f"No link with {self._target} over {way}: {why(error)}"
            raise DialError(reason) from error
        except BaseException:
            if link is not None:
                link.abort()
            raise

    async def _carrier(self, way: Way) -> Reached:
        """The first that comes about of the host's addresses."""
        host, port = self._target.host, self._target.port
        addresses = await resolve(host, port)
        attempts = [partial(self._reach, way, address) for address in addresses]
        return await race(attempts, STAGGER, _abort)

    async def _reach(self, way: Way, address: Address) -> Reached:
        dial = dial_tcp if way is Way.TCP else dial_quic
        try:
            carrier = await dial(address, self._credentials, self._admit)
        except (SessionClosed, PeerRefused, OSError) as error:
            raise DialError(why(error)) from error
        return carrier, normalise(address[1])

    def _admit(self, chain: Chain) -> str:
        region = self._credentials.judge(chain)
        if region != self._target.region:
            reason = f"There is region “{region}”, not “{self._target.region}”."
            raise PeerRefused(BAD_CERTIFICATE, reason)
        return region


def _abort(reached: Reached) -> None:
    reached[0].abort()


def _drop(link: LinkEnd) -> None:
    link.close(CloseCode.NORMAL, "another way was faster")
