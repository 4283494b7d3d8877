"""The parent: it holds the port, and sees to it that somebody serves it.

    start   the store, then a generation of workers on bank 0
    SIGHUP  roll: a new generation on the other bank; once all of it serves, new connections are
            steered there, and the older one hands over and leaves
    SIGTERM all drain and leave; SIGINT: at once

What holds always: the sockets are open from before the first worker to after the last; a new
generation that does not come up is given up, and the older one goes on; at most two generations
live at a time. The store process stays through a roll; so do host, ports, folders and the number of
workers: they need a restart.
May import: channel, post, lock; config, app's certificates; transport's group.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from typing import Any

import structlog
from msgspec import Struct

from server import app, secret
from server.config import ConfigError, Settings
from server.workers import lock
from server.workers.channel import Leave, Ready, StoreTask, WorkerTask, pack
from server.workers.post import Post, StartFailed
from transport.quic.steering import Slot
from transport.tls import CertificateError
from transport.workers import Group

FIXED = ("host", "port", "http", "http_port", "workers", "data_dir", "database")
"""Settings that a roll does not change."""
START = 60.0
"""Seconds a generation may take until all of it serves."""

log = structlog.get_logger(__name__)


class Serving(Struct, frozen=True):
    """What is told of once all serve."""

    port: int
    http_port: int | None
    store: Ready


class Generation:
    """The workers of one bank."""

    def __init__(self, bank: int, settings: Settings, group: Group, *, beside: bool) -> None:
        self.bank = bank
        self._beside = beside
        """Whether an older one serves meanwhile."""
        slots = [Slot(bank, index, group.workers) for index in range(group.workers)]
        self._posts = [self._post(slot, settings, group) for slot in slots]
        self._begun: list[Post] = []

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start all, and wait until all serve. Raises StartFailed.

        Beside an older generation one after the other, and leisurely: the start of a process takes
        a core for most of a second, and those that serve meanwhile need theirs.
        """
        for post in self._posts:
            self._begun.append(post)
            tasks.create_task(post.keep())
            if self._beside:
                await self._ready([post])
        await self._ready(self._posts)

    async def _ready(self, posts: Sequence[Post]) -> None:
        try:
            async with asyncio.timeout(START):
                await asyncio.gather(*(post.ready for post in posts))
        except TimeoutError:
            raise StartFailed(f"not all workers served within {START:g} s") from None

    async def leave(self, leave: Leave) -> None:
        """Have all leave that were started."""
        await asyncio.gather(*(post.leave(leave) for post in self._begun))

    def _post(self, slot: Slot, settings: Settings, group: Group) -> Post:
        inherited = group.of(slot)
        task = WorkerTask(pack(settings), slot, inherited)
        name = f"worker {slot.socket}"
        return Post(name, task, inherited.all(), leisurely=self._beside)


class Parent:
    """The processes of one server. `load` reads the settings anew."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        group: Group,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._load = load
        self._group = group
        self._tasks = tasks
        self._store: Post | None = None
        self._generations: list[Generation] = []
        self._roll = asyncio.Event()
        self._stop: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def listen(self) -> None:
        """Take signals from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._roll.set)
        loop.add_signal_handler(signal.SIGTERM, self._leave_with, self._settings.drain_seconds)
        loop.add_signal_handler(signal.SIGINT, self._leave_with, 0.0)

    async def start(self) -> Ready:
        """Start all; what the store found. Raises StartFailed."""
        self._store = Post("store", StoreTask(pack(self._settings)))
        self._tasks.create_task(self._store.keep())
        found = await self._store.ready
        await self._begin(0, self._settings)
        return found

    async def obey(self) -> float:
        """Roll when told; returns the patience with which to leave when told that."""
        while not self._stop.done():
            await self._or_stop(self._roll.wait())
            if not self._stop.done():
                self._roll.clear()
                await self._or_stop(self._rolled())
        return self._stop.result()

    async def leave(self, patience: float) -> None:
        """Have all leave, the store last."""
        leave = Leave(patience)
        await asyncio.gather(*(generation.leave(leave) for generation in self._generations))
        if self._store is not None:
            await self._store.leave(Leave(0.0))

    async def _or_stop(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it, unless it is time to leave first."""
        task: asyncio.Future[Any] = self._tasks.create_task(work)
        stop: asyncio.Future[Any] = self._stop
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()

    def _leave_with(self, patience: float) -> None:
        if not self._stop.done():
            log.info("leaving", patience=patience)
            self._stop.set_result(patience)

    async def _begin(self, bank: int, settings: Settings) -> Generation:
        beside = bool(self._generations)
        generation = Generation(bank, settings, self._group, beside=beside)
        self._generations.append(generation)
        await generation.start(self._tasks)
        return generation

    async def _rolled(self) -> None:
        """A rolling restart. Never raises: what is wrong is logged, and the older ones go on."""
        [old] = self._generations
        try:
            kept = {name: getattr(self._settings, name) for name in FIXED}
            settings = self._load().model_copy(update=kept)
            log.info("rolling", bank=1 - old.bank)
            new = await self._begin(1 - old.bank, settings)
        except (ConfigError, StartFailed) as error:
            log.error("the new workers did not start; the old ones go on", reason=str(error))
            for failed in self._generations[1:]:
                await failed.leave(Leave(0.0))
                self._generations.remove(failed)
            return
        self._group.steer(new.bank, draining=True)
        await old.leave(Leave(settings.drain_seconds, hand_over=True))
        self._generations.remove(old)
        self._group.steer(new.bank, draining=False)
        log.info("rolled", bank=new.bank)


async def supervise(
    settings: Settings, load: Callable[[], Settings], announce: Callable[[Serving], None]
) -> None:
    """Serve with workers until SIGTERM or SIGINT.

    Raises OSError when a port is taken, ConfigError, CertificateError or StartFailed.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.held(settings.data_dir):
        http_port = settings.http_port if settings.http else None
        with closing(Group(settings.host, settings.port, http_port, settings.workers)) as group:
            secret.load(settings)
            app.certificates(settings)
            ports = {"port": group.port, "http_port": group.loopback_port or 0}
            await _lead(settings.model_copy(update=ports), load, group, announce)


async def _lead(
    settings: Settings,
    load: Callable[[], Settings],
    group: Group,
    announce: Callable[[Serving], None],
) -> None:
    fault: StartFailed | CertificateError | None = None
    async with asyncio.TaskGroup() as tasks:
        parent, patience = Parent(settings, load, group, tasks), 0.0
        parent.listen()
        try:
            found = await parent.start()
            log.info("serving", port=group.port, loopback_port=group.loopback_port)
            announce(Serving(group.port, group.loopback_port, found))
            patience = await parent.obey()
        except StartFailed as error:
            fault = error  # Not raised through the group, which would wrap it.
        finally:
            await parent.leave(patience)
    if fault is not None:
        raise fault
