"""The store process: it alone owns the database, and it hands events round.

(Of a site, whose workers reach PostgreSQL and Redis by themselves, it does only what one of a host
must: the demo, and the control socket.)

One process, because SQLite takes one writer, and because whoever commits knows the order: entries
are published here, at their commit, before the next one's caller is resumed. So they reach every
worker in the order of their `seq`, and reach them also when the worker that appended has died.

What holds always: what is published was committed; nothing is awaited between the two; at most
KNOWN conversations are remembered for whose they are, which never changes.
May import: app's clock, bus, control, demo, service; storage.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from uuid import UUID

import structlog

from server import control, demo, ground
from server.app import unix_ms
from server.bus.base import Appended as Published
from server.bus.base import Done
from server.bus.exchange import Exchange, exchanging
from server.config import Settings
from server.service.coordinator import remote
from server.service.outbox import Announcer
from server.service.passwords import Passwords
from server.workers.channel import Channel, Ready, StoreTask, unpack
from storage.base import Appended, Conflict, Directory, Draft, MessageLog
from storage.open import Storage, open_storage
from storage.remote import serving

STORE = "store.sock"
BUS = "bus.sock"
PLACES = "places.sock"
"""The sockets in the data folder."""
KNOWN = 50_000
ORPHANS = 60.0
"""Seconds that the workers of a parent that has gone may take to leave."""

log = structlog.get_logger(__name__)


async def keep(task: StoreTask, channel: Channel) -> None:
    """Serve until told to leave. Raises StorageError, ConfigError or OSError at the start."""
    settings = unpack(task.settings)
    storage = open_storage(settings.database_url)
    try:
        ready = await _prepared(settings, storage)
        if ground.is_site(settings):
            async with control.listening(settings, storage.directory):
                channel.say(ready)
                await channel.told_to_leave(0.0)
            return
        sockets = places(settings)
        async with exchanging(sockets.exchange) as exchange:
            publish, settling = _publisher(storage, exchange)
            announcing = AnnouncingLog(storage.log, storage.directory, publish)
            async with (
                settling,
                serving(
                    sockets.store, announcing, storage.directory, storage.search, storage.journal
                ),
                remote.serving(sockets.places, *ground.places(storage)),
                control.listening(settings, storage.directory),
            ):
                channel.say(ready)
                await channel.told_to_leave(0.0)
                if channel.orphaned:
                    await _without(exchange)
    finally:
        await storage.close()


def _publisher(
    storage: Storage, exchange: Exchange
) -> tuple[Callable[[str, Published], None], AbstractAsyncContextManager[None]]:
    """How to publish, and what has to run meanwhile: a store with an outbox is told what is out."""
    if storage.outbox is None:
        return exchange.publish, nullcontext()

    def publish(shop: str, event: Published, done: Done) -> None:
        exchange.publish(shop, event)
        done()

    announcer = Announcer(publish, storage.outbox)
    return announcer.publish, _running(announcer.run())


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs it until the block is left."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class AnnouncingLog:
    """A MessageLog that publishes what it has committed."""

    def __init__(
        self, messages: MessageLog, directory: Directory, publish: Callable[[str, Published], None]
    ) -> None:
        self._log = messages
        self._directory = directory
        self._publish = publish
        self._known: OrderedDict[UUID, tuple[str, UUID]] = OrderedDict()
        self.read = messages.read
        self.read_before = messages.read_before
        self.heads = messages.heads
        self.close = messages.close

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """See MessageLog."""
        # Before the commit: between it and the publishing nothing may be awaited.
        places = {id: await self._place(id) for id in {draft.conversation for draft in drafts}}
        results = await self._log.append(drafts)
        for result in results:
            place = places[result.entry.conversation]
            if place is not None and isinstance(result, Appended) and result.fresh:
                shop, visitor = place
                self._publish(shop, Published(visitor, result.entry))
        return results

    async def _place(self, id: UUID) -> tuple[str, UUID] | None:
        """Shop and visitor of a conversation; None when the directory does not know it."""
        if (place := self._known.get(id)) is not None:
            self._known.move_to_end(id)
            return place
        record = await self._directory.get_conversation(id)
        if record is None:
            return None
        self._known[id] = record.shop, record.visitor
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return record.shop, record.visitor


async def _prepared(settings: Settings, storage: Storage) -> Ready:
    """What only one may do: the demo's shop and agent."""
    email = password = None
    if settings.demo:
        passwords = Passwords()
        try:
            login = await demo.seed(storage.directory, passwords, settings, unix_ms())
        finally:
            passwords.close()
        email, password = login.email, login.password
    return Ready(email, password, not await storage.directory.list_shops())


async def _without(exchange: Exchange) -> None:
    """Wait until no worker is left: they drain, and need the store until the end."""
    try:
        async with asyncio.timeout(ORPHANS):
            while exchange.ports:  # noqa: ASYNC110  a port that closes tells nobody here
                await asyncio.sleep(0.1)
    except TimeoutError:
        log.warning("leaving before the workers", workers=len(exchange.ports))


def places(settings: Settings) -> ground.Shared:
    """Where the store, the exchange, and locks and loads are reached."""
    return ground.Shared(*(settings.data_dir / name for name in (STORE, BUS, PLACES)))
