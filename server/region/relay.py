"""What is said to one other region, over whatever link there is: items out of a backlog, items in.

    out   backlog ─▶ Carried … ─▶ their disk ─▶ Arrived ─▶ taken out of the backlog
    in    Carried … ─▶ together into our store (Inbound) ─▶ Arrived

Nothing waits for an answer: up to UNDER_WAY items are on their way at once, and what has come is
put on disk together, as much as there is. With a new link everything that is still in the backlog
goes again; who gets an item twice does nothing the second time.

What holds always: an item leaves the backlog only when the other region has said that it has it on
disk; `Arrived` is said only after that; items of one key are handed to Inbound in the order in
which they came; a link that begins while an older one still seems to live ends that one.
Bounds: UNDER_WAY items out, TOGETHER in. When the store does not take what came, it is tried again
every RETRY seconds, and the link is not read meanwhile.
May import: messages, backlog; transport's links.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog
from msgspec import Raw

from server.region import messages
from server.region.backlog import FIRST, Backlog, BacklogAway, Load, Waiting
from server.region.messages import VERSION, Arrived, Carried, Greeting, Item, Passing, Want
from storage.base import StorageError
from transport.errors import CloseCode, SessionClosed
from transport.links.base import Link, LinkFull

UNDER_WAY = 4_096
"""Items without an answer on one link: ten seconds at 400 a second."""
READ = 256
"""Items read from the backlog at once."""
TOGETHER = 256
"""Items put on disk at once."""
GATHER = 0.002
"""Seconds over which what comes is gathered, once something has."""
LONG_POLL = 1.0
"""Seconds that one question to the backlog waits for news."""
RETRY = 0.5
GREETING = 10.0
"""Seconds for the first word of the other side."""
SKEWED = 5_000
"""Milliseconds by which clocks may differ before the log says so."""

log = structlog.get_logger(__name__)


class Inbound(Protocol):
    """Where what comes goes."""

    async def take(self, region: str, items: Sequence[Item]) -> None:
        """Put them on disk. Those that are there already change nothing. Raises StorageError, then
        they come again."""
        ...

    async def wanted(self, region: str, want: Want) -> None:
        """That region lacks entries after this position: put them into its backlog."""
        ...

    def passing(self, passing: Passing) -> None:
        """Tell whom it concerns, now."""
        ...


class Relay:
    """The relay to the region `peer`. `now` gives Unix milliseconds."""

    def __init__(
        self, region: str, peer: str, backlog: Backlog, inbound: Inbound, now: Callable[[], int]
    ) -> None:
        self.peer = peer
        self.link: Link | None = None
        """The one that is used, if there is one."""
        self.skew: int | None = None
        """Milliseconds by which the other region's clock is ahead, as of its last greeting, with
        the time that took."""
        self.sent = 0
        self.received = 0
        """Items, since the start."""
        self._region = region
        self._backlog = backlog
        self._inbound = inbound
        self._now = now
        self._under_way: set[str] = set()
        self._room = asyncio.Event()
        self._arrived: list[str] = []
        self._some_arrived = asyncio.Event()

    async def serve(self, link: Link) -> None:
        """Work on a link until it ends."""
        if (old := self.link) is not None:
            old.close(CloseCode.GOING_AWAY, "there is a newer link")
        self.link = link
        try:
            await self._greet(link)
            await self._work(link)
        except SessionClosed:
            pass  # There will be another one.
        except (msgspec.MsgspecError, _Unfit) as error:
            log.error("relay.unfit", region=self.peer, reason=str(error))
            link.close(CloseCode.PROTOCOL_ERROR, str(error))
        finally:
            if self.link is link:
                self.link = None

    def tell(self, message: Passing | Want) -> None:
        """Say what only matters now, if there is a link: an event is late already, and what is
        missing is asked for again in time."""
        if self.link is not None:
            try:
                self.link.send(b"", messages.encode(message))
            except (LinkFull, SessionClosed):
                pass

    async def _greet(self, link: Link) -> None:
        link.send(b"", messages.encode(Greeting(VERSION, self._region, self._now())))
        try:
            async with asyncio.timeout(GREETING):
                first = messages.decode((await link.receive()).data)
        except TimeoutError:
            raise _Unfit("it did not greet") from None
        if not isinstance(first, Greeting):
            raise _Unfit("its first word was no greeting")
        if first.version != VERSION:
            raise _Unfit(f"it speaks version {first.version} of the relay, this region {VERSION}")
        if first.region != self.peer:
            raise _Unfit(f"it calls itself {first.region}, its certificate says {self.peer}")
        self.skew = first.now - self._now()
        if abs(self.skew) > SKEWED:
            log.warning("relay.skew", region=self.peer, seconds=round(self.skew / 1000, 1))

    async def _work(self, link: Link) -> None:
        self._under_way.clear()
        come: asyncio.Queue[Carried] = asyncio.Queue(maxsize=TOGETHER)
        works = (
            self._send(link),
            self._take_out(),
            self._receive(link, come),
            self._store(link, come),
        )
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    # Out.

    async def _send(self, link: Link) -> None:
        after = FIRST
        while True:
            try:
                waiting = await self._backlog.read(after, limit=READ, wait=LONG_POLL)
            except BacklogAway as error:
                log.warning("relay.no_backlog", region=self.peer, reason=str(error))
                await asyncio.sleep(RETRY)
                continue
            for one in waiting:
                await self._send_one(link, one)
                after = one.place

    async def _send_one(self, link: Link, one: Waiting) -> None:
        while len(self._under_way) >= UNDER_WAY:
            self._room.clear()
            await self._room.wait()
        data = messages.encode(Carried(one.place, Raw(one.load.item)))
        while True:
            try:
                link.send(one.load.key, data)
                break
            except LinkFull:
                await link.drained()
        self._under_way.add(one.place)
        self.sent += 1

    async def _take_out(self) -> None:
        """Take out of the backlog what has arrived."""
        while True:
            await self._some_arrived.wait()
            self._some_arrived.clear()
            places, self._arrived = self._arrived, []
            try:
                await self._backlog.done(places)
            except BacklogAway:
                # It goes again with the next link, which does no harm.
                self._arrived += places
                await asyncio.sleep(RETRY)
                self._some_arrived.set()

    def _has_arrived(self, places: Sequence[str]) -> None:
        self._under_way.difference_update(places)
        self._room.set()
        self._arrived += places
        self._some_arrived.set()

    # In.

    async def _receive(self, link: Link, come: asyncio.Queue[Carried]) -> None:
        while True:
            message = messages.decode((await link.receive()).data)
            if isinstance(message, Carried):
                await come.put(message)
            elif isinstance(message, Arrived):
                self._has_arrived(message.places)
            elif isinstance(message, Want):
                await self._wanted(message)
            elif isinstance(message, Passing):
                self._inbound.passing(message)

    async def _wanted(self, want: Want) -> None:
        try:
            await self._inbound.wanted(self.peer, want)
        except (StorageError, BacklogAway) as error:
            # It will be asked for again.
            log.warning("relay.not_answered", region=self.peer, reason=str(error))

    async def _store(self, link: Link, come: asyncio.Queue[Carried]) -> None:
        """Put on disk what has come, and say so."""
        while True:
            batch = [await come.get()]
            await asyncio.sleep(GATHER)
            while len(batch) < TOGETHER and not come.empty():
                batch.append(come.get_nowait())
            items = [messages.decode_item(one.item) for one in batch]
            while True:
                try:
                    await self._inbound.take(self.peer, items)
                    break
                except StorageError as error:
                    log.warning("relay.not_stored", region=self.peer, reason=str(error))
                    await asyncio.sleep(RETRY)
            self.received += len(batch)
            link.send(b"", messages.encode(Arrived(tuple(one.place for one in batch))))


class _Unfit(Exception):
    """The other side is none that this one can talk to."""


def load(item: Item) -> Load:
    """An item as a backlog keeps it."""
    return Load(messages.key_of(item), messages.encode(item))
