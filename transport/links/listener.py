"""Where other regions come in: one port number, QUIC over UDP and TLS over TCP.

    async with Listener(credentials, serve).listening(host=None, port=7443) as port: …

What holds always: `serve` gets a link once its dialler has begun to use it, and never one of a peer
that was not admitted; a region has one link at a time: a newer one takes the place of the older,
which is closed with GOING_AWAY (it may well be half open); leaving the block closes all with
GOING_AWAY and leaves nothing behind. The one task per connection is bounded by MAX_CONNECTIONS, and
each has HELLO_DEADLINE seconds to become a link.
May import: credentials, link, guard, quic, tcp, transport's sockets, quic.door, tcp.listener.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from transport.errors import CloseCode, SessionClosed
from transport.links.base import CLOSE_LINGER, Link, LinkInfo, Way
from transport.links.credentials import ALPN, BAD_CERTIFICATE, Credentials, PeerRefused, why
from transport.links.guard import run_guarded
from transport.links.link import LinkEnd, Serve
from transport.links.machine import HELLO_DEADLINE
from transport.links.quic import Chain, QuicCarrier
from transport.links.tcp import TcpCarrier, accept_tcp
from transport.quic.admission import Limits
from transport.quic.door import Door, normalise
from transport.quic.peer import Peer
from transport.sockets import bind_both
from transport.tcp.listener import Listener as TcpListener

MAX_CONNECTIONS = 256
"""Connections over either way. Over it new ones are refused, which dial again."""

log = structlog.get_logger("tradewind.links")

Shake = Callable[[], Coroutine[Any, Any, QuicCarrier | TcpCarrier]]
Welcome = Callable[[str], bool]
"""Whether a region may have a link."""


def anybody(region: str) -> bool:
    """Every region of the deployment."""
    return True


class Listener:
    """Takes links of other regions and lets `serve` work on each."""

    def __init__(
        self, credentials: Credentials, serve: Serve, *, welcome: Welcome = anybody
    ) -> None:
        self._credentials = credentials
        self._serve = serve
        self._welcome = welcome
        self._links: dict[str, LinkEnd] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup

    @property
    def links(self) -> Mapping[str, Link]:
        """Those that live, by region."""
        return self._links

    @asynccontextmanager
    async def listening(self, host: str | None, port: int) -> AsyncIterator[int]:
        """Listen until the block is left; the port number. Raises OSError when it is taken."""
        udp, tcp = bind_both(host, port)
        failure: Exception | None = None
        async with asyncio.TaskGroup() as self._tasks:
            door = _LinkDoor(self)
            await door.start(udp)
            taker = TcpListener(asyncio.get_running_loop(), tcp, self._take_tcp)
            try:
                yield int(udp.getsockname()[1])
            except Exception as error:
                failure = error  # the caller's own, not to be wrapped in a group
            finally:
                door.refuse()
                taker.close()
                await self._let_go()
                await door.close(CloseCode.GOING_AWAY, "the region stops")
        if failure is not None:
            raise failure

    # For the ways.

    @property
    def credentials(self) -> Credentials:
        """Those that are shown."""
        return self._credentials

    def admit(self, chain: Chain) -> str:
        """The region of a peer. Raises PeerRefused."""
        region = self._credentials.judge(chain)
        if not self._welcome(region):
            raise PeerRefused(BAD_CERTIFICATE, f"The region “{region}” is not expected here.")
        return region

    def take_quic(self, carrier: QuicCarrier, address: tuple[str, int]) -> None:
        """A QUIC connection has begun."""

        async def shake() -> QuicCarrier:
            try:
                await carrier.ready()
            except BaseException:
                carrier.abort()
                raise
            return carrier

        self._start(shake, address, Way.QUIC)

    def _take_tcp(self, sock: socket.socket, address: tuple[str, int]) -> None:
        if len(self._running) >= MAX_CONNECTIONS:
            sock.close()
            return
        peer = normalise(address)

        async def shake() -> TcpCarrier:
            return await accept_tcp(sock, peer, self._credentials, self.admit)

        self._start(shake, peer, Way.TCP)

    # Inside.

    def _start(self, shake: Shake, peer: tuple[str, int], way: Way) -> None:
        task = self._tasks.create_task(self._receive(shake, peer, way))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _receive(self, shake: Shake, peer: tuple[str, int], way: Way) -> None:
        try:
            async with asyncio.timeout(HELLO_DEADLINE):
                carrier = await shake()
        except (SessionClosed, PeerRefused, OSError, TimeoutError) as error:
            log.warning("link.refused", peer=peer[0], way=str(way), reason=why(error))
            return
        info = LinkInfo(region=carrier.region, way=way, peer=peer, dialled=False)
        link = LinkEnd(carrier, info)
        await run_guarded(link, carrier.chain, self._credentials, self._once_live)

    async def _once_live(self, link: Link) -> None:
        assert isinstance(link, LinkEnd)
        region = link.info.region
        try:
            await link.live()
        except SessionClosed as closed:
            if closed.code != CloseCode.NORMAL:  # which says that another way was faster
                way, peer = str(link.info.way), link.info.peer[0]
                log.warning("link.refused", peer=peer, way=way, reason=closed.reason)
            return
        older, self._links[region] = self._links.get(region), link
        if older is not None:
            older.close(CloseCode.GOING_AWAY, "a newer link has taken its place")
        log.info("link.up", region=region, way=str(link.info.way), peer=link.info.peer[0])
        try:
            await self._serve(link)
        finally:
            if self._links.get(region) is link:
                del self._links[region]
            log.info("link.down", region=region, way=str(link.info.way))

    async def _let_go(self) -> None:
        for link in list(self._links.values()):
            link.close(CloseCode.GOING_AWAY, "the region stops")
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_LINGER)
        for task in list(self._running):
            task.cancel()


class _LinkDoor(Door):
    """The UDP side."""

    def __init__(self, listener: Listener) -> None:
        credentials = listener.credentials
        super().__init__(
            credentials.settings(is_client=False),
            credentials.apply_to,
            limits=Limits(connections=MAX_CONNECTIONS, handshakes=MAX_CONNECTIONS // 2),
        )
        self._listener = listener

    def welcome(self, peer: Peer, address: Any, protocol: str | None) -> bool:
        if protocol != ALPN:
            return False
        carrier = QuicCarrier(peer, self._listener.admit, dials=False)
        peer.handler = carrier
        self._listener.take_quic(carrier, normalise(address))
        return True
