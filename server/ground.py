"""What a server stands on: its store, its bus, and how what was committed gets from the one to the
other.

    alone     a store of its own, a bus within the process
    worker    the store process's store, and the bus of its exchange; the store process publishes
    site      PostgreSQL and Redis, for any number of processes on any number of hosts: each appends
              by itself, publishes at the commit, and sweeps what others left in the outbox

Beside app.py the only place that names a concrete store or bus.
What holds always: what is opened here is closed when the stack is, in reverse.
May import: bus, live's presence, service's outbox; config; storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from uuid import uuid4

from msgspec import Struct

from server.bus.base import Appended, Bus
from server.bus.local import LocalBus
from server.bus.redis import RedisBus
from server.bus.unix import UnixBus
from server.config import Settings
from server.live.online import Online
from server.live.presence import Presence
from server.live.shared_presence import SharedPresence
from server.service.coordinator.base import Locks
from server.service.coordinator.load import Load, LocalLoad
from server.service.coordinator.locks import LocalLocks
from server.service.coordinator.redis_load import RedisLoad
from server.service.coordinator.redis_locks import RedisLocks
from server.service.coordinator.remote import RemoteLoad, RemoteLocks, linked
from server.service.outbox import Announcer
from storage.hot import HotLog
from storage.open import Storage, open_remote, open_storage
from storage.redis import connect

Start = Callable[[Coroutine[None, None, None]], None]
"""Starts a task that runs in the background."""
FLUSH = 1.0
"""Seconds that the last events may take to leave."""
Counts = Mapping[str, Mapping[str, int]]


async def _nothing() -> None:
    """There is nothing to flush."""


class Shared(Struct, frozen=True):
    """Where the store process of a host listens."""

    store: Path
    exchange: Path
    places: Path
    """Where it keeps locks and loads."""


class Ground(Struct, frozen=True):
    """See above."""

    storage: Storage
    bus: Bus
    online: Online
    locks: Locks
    load: Load
    publish: Callable[[str, Appended], None]
    """Called at a commit. Never waits."""
    on_gap: Callable[[Callable[[], None]], None]
    """Says what to do when the bus may have lost something."""
    flush: Callable[[], Awaitable[None]] = _nothing
    """Waits until what was published has left, not for long."""
    counts: Callable[[], Counts] = dict
    """For the metrics: what happened to each part."""


def is_site(settings: Settings) -> bool:
    """Whether there may be other hosts."""
    return settings.redis is not None


def alone(storage: Storage, start: Start, stack: AsyncExitStack) -> Ground:
    """One process with a store of its own."""
    bus = LocalBus()
    stack.push_async_callback(bus.close)
    publish: Callable[[str, Appended], None] = bus.publish
    if storage.outbox is not None:
        announcer = Announcer(bus.publish, storage.outbox)
        start(announcer.run())
        publish = announcer.publish
    return Ground(storage, bus, _presence(bus), *places(storage), publish, _never)


def places(storage: Storage) -> tuple[LocalLocks, LocalLoad]:
    """The locks and loads of one process."""
    assert storage.journal is not None, "every store has one"
    clock = asyncio.get_running_loop().time
    return LocalLocks(storage.journal, clock), LocalLoad(clock)


def worker(shared: Shared, start: Start, stack: AsyncExitStack) -> Ground:
    """One of several processes on a host, with the store process's store."""
    storage, bus, link = open_remote(shared.store), UnixBus(shared.exchange), linked(shared.places)
    for part in (storage, bus, link):
        stack.push_async_callback(part.close)
    start(bus.run())

    taken = RemoteLocks(link), RemoteLoad(link)
    return Ground(storage, bus, _presence(bus), *taken, _by_the_store, _hook(bus))


def site(settings: Settings, start: Start, stack: AsyncExitStack) -> Ground:
    """One of any number of processes. Raises BadURL, WrongSchema or StoreUnavailable."""
    assert settings.redis is not None, "a site has a Redis"
    redis, prefix = connect(settings.redis), settings.redis_prefix
    stack.push_async_callback(redis.aclose)
    storage = open_storage(settings.database_url)
    hot = HotLog(storage.log, redis, f"{prefix}hot:")
    storage.log = hot
    stack.push_async_callback(storage.close)
    bus = RedisBus(redis, prefix)
    stack.push_async_callback(bus.close)
    assert storage.outbox is not None, "PostgreSQL has one"
    assert storage.journal is not None, "every store has one"
    announcer = Announcer(bus.publish, storage.outbox, hot)
    clock = asyncio.get_running_loop().time
    start(bus.run())
    start(announcer.run())

    def counts() -> Counts:
        return {
            "bus": bus.counts,
            "outbox": {"swept": announcer.swept},
            "hot_index": {
                name: getattr(hot, name) for name in ("hits", "misses", "rebuilds", "errors")
            },
        }

    return Ground(
        storage,
        bus,
        SharedPresence(bus, uuid4(), clock, redis, f"{prefix}live:"),
        RedisLocks(redis, storage.journal, prefix),
        RedisLoad(redis, prefix),
        announcer.publish,
        _hook(bus),
        partial(_flush, bus),
        counts,
    )


async def _flush(bus: RedisBus) -> None:
    """What was said last should leave before we do; what does not is in the outbox."""
    try:
        async with asyncio.timeout(FLUSH):
            await bus.flushed()
    except TimeoutError:
        pass


def _presence(bus: Bus) -> Presence:
    return Presence(bus, uuid4(), asyncio.get_running_loop().time)


def _hook(bus: UnixBus | RedisBus) -> Callable[[Callable[[], None]], None]:
    """Sets what a bus does about a gap."""

    def on_gap(act: Callable[[], None]) -> None:
        bus.on_gap = act

    return on_gap


def _never(act: Callable[[], None]) -> None:
    """Within a process nothing is lost."""


def _by_the_store(topic: str, event: Appended) -> None:
    """The store process publishes at the commit, so that entries keep their order."""
