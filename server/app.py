"""The composition root: the one place that knows what everything is made of.

    settings ─▶ store, bus ─▶ services ─▶ live ─▶ api ─▶ door ─▶ listeners

What holds always: what is opened here is closed here, in reverse; leaving says goodbye to clients
first and closes the store last, so nothing that was accepted is lost.
May import: everything but cli.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from msgspec import Struct
from quart import Quart
from quart_schema import Info, QuartSchema

from server import control, demo, garbage, gathering, ground, secret, threads
from server.api import access, agent, errors, ops, pages, security, visitor
from server.api.addresses import Addresses
from server.api.door import Door
from server.bus.base import Bus, Event, Passed
from server.config import Settings
from server.ground import Ground, Start
from server.live.admission import Admission
from server.live.calls import Calls
from server.live.commands import Commands
from server.live.gateway import Gateway
from server.live.hub import Hub
from server.metrics import Metrics
from server.service.chat import Chat
from server.service.conversations import Conversations
from server.service.coordinator.assembly import assemble
from server.service.coordinator.locks import Holding
from server.service.desk import Desk
from server.service.history import History
from server.service.identity import Identity
from server.service.passwords import Passwords
from server.service.search import Finder
from server.service.shops import Shops
from server.service.tokens import Tokens
from storage.base import StorageError
from storage.open import Storage, open_storage
from transport.quic.qlog import Qlog
from transport.quic.shared_tickets import SharedTickets
from transport.serve import Listening, ServeConfig, serving
from transport.sockets import Sockets
from transport.tls import Certificates
from transport.uuid7 import uuid7

MAX_REQUEST = 32_768
"""Bytes of a request's body."""
BODY_TIMEOUT = 10
"""Seconds in which a request's body must have come."""

CATCH_UP = 4.0
"""Seconds within which sessions begin anew after the bus was away: what happened is replayed."""

TICKETS = "/tickets"
"""The topic of session tickets; no shop has a slash in its id."""

log = structlog.get_logger(__name__)


def unix_ms() -> int:
    """Now, as the wire counts it."""
    return time.time_ns() // 1_000_000


class Leaving:
    """Whether the server is on its way out."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self) -> bool:
        return self.now


class Parts(Struct, frozen=True):
    """What a running server is made of, for the listeners, the tests and the command line."""

    settings: Settings
    door: Door
    quart: Quart
    gateway: Gateway
    addresses: Addresses
    certificates: Certificates
    metrics: Metrics
    storage: Storage
    leaving: Leaving
    tickets: SharedTickets | None
    demo: demo.Login | None
    empty: bool
    """Whether there is no shop yet."""


class Shared(Struct, frozen=True):
    """What a worker shares with others on the port: its sockets, and where the store process is."""

    sockets: Sockets
    places: ground.Shared
    metrics: Path
    """The folder of the sockets over which workers read each other's metrics."""


class _Base(Struct, frozen=True):
    """What everything stands on."""

    settings: Settings
    ground: Ground
    metrics: Metrics
    gather: Callable[[], Awaitable[bytes]]
    leaving: Leaving
    start: Start

    @property
    def storage(self) -> Storage:
        """Its store."""
        return self.ground.storage


class _People(Struct, frozen=True):
    """Who is who, and where they come from."""

    identity: Identity
    shops: Shops
    passwords: Passwords


@asynccontextmanager
async def building(
    settings: Settings, storage: Storage | None = None, shared: Shared | None = None
) -> AsyncIterator[Parts]:
    """Everything, running, but for the listeners. `storage` is opened unless it is given."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        base = await _base(settings, storage, shared, stack)
        storage = base.storage
        people = _people(base)
        stack.callback(people.passwords.close)
        login = None
        if settings.demo:
            login = await demo.seed(storage.directory, people.passwords, settings, unix_ms())
        gateway = await _gateway(base, people, stack)
        base.ground.on_gap(lambda: gateway.move(CATCH_UP))
        if shared is None:
            await stack.enter_async_context(control.listening(settings, storage.directory))
        presented = certificates(settings)
        addresses = Addresses(settings.public_url, presented.hashes)
        quart = _quart(base, people, addresses, login)
        yield Parts(
            settings,
            Door(quart, gateway, addresses, people.shops),
            quart,
            gateway,
            addresses,
            presented,
            base.metrics,
            storage,
            base.leaving,
            await _tickets(base.ground.bus) if _has_others(settings, shared) else None,
            login,
            not await storage.directory.list_shops(),
        )


async def _base(
    settings: Settings, storage: Storage | None, shared: Shared | None, stack: AsyncExitStack
) -> _Base:
    """The ground, and what is counted on it."""
    metrics, gather = Metrics(), None
    if shared is not None:
        place = shared.metrics / f"metrics-{shared.sockets.slot.socket}.sock"
        await stack.enter_async_context(gathering.listening(place, metrics.text))
        gather = partial(gathering.gather, shared.metrics)
    # Outside of what the tasks use, which is closed after they have ended.
    opened = await stack.enter_async_context(AsyncExitStack())
    start = await stack.enter_async_context(_background())
    found = _ground(settings, storage, shared, start, opened)
    stack.push_async_callback(found.flush)
    metrics.watch(counts=found.counts)
    return _Base(settings, found, metrics, gather or metrics.text, Leaving(), start)


def _ground(
    settings: Settings,
    storage: Storage | None,
    shared: Shared | None,
    start: Start,
    stack: AsyncExitStack,
) -> Ground:
    if storage is None and ground.is_site(settings):
        return ground.site(settings, start, stack)
    if shared is not None:
        return ground.worker(shared.places, start, stack)
    if storage is None:
        storage = open_storage(settings.database_url)
        stack.push_async_callback(storage.close)
    return ground.alone(storage, start, stack)


def _has_others(settings: Settings, shared: Shared | None) -> bool:
    """Whether other processes serve the same clients."""
    return shared is not None or ground.is_site(settings)


async def _tickets(bus: Bus) -> SharedTickets:
    """Session tickets that all workers know."""
    tickets = SharedTickets(lambda news: bus.publish(TICKETS, Passed(news)))

    def heard(event: Event) -> None:
        assert isinstance(event, Passed)
        tickets.heard(event.data)

    await bus.subscribe(TICKETS, heard)
    return tickets


def certificates(settings: Settings) -> Certificates:
    """The operator's certificate, or one made for development. Raises CertificateError."""
    if settings.certificate is not None and settings.key is not None:
        return Certificates.files(settings.certificate, settings.key)
    public = urlsplit(settings.public_url or "").hostname
    names = (*settings.names, public) if public else settings.names
    return Certificates.development(settings.data_dir / "certificates", names)


def _people(base: _Base) -> _People:
    clock = asyncio.get_running_loop().time
    passwords = Passwords()
    directory = base.storage.directory
    identity = Identity(
        directory,
        Tokens(secret.load(base.settings)),
        passwords,
        now=unix_ms,
        clock=clock,
        new_id=uuid7,
    )
    return _People(identity, Shops(directory, clock), passwords)


async def _gateway(base: _Base, people: _People, stack: AsyncExitStack) -> Gateway:
    """The services and what is live above them. Leaving the stack waits for open commits."""
    clock = asyncio.get_running_loop().time
    messages, directory = base.storage.log, base.storage.directory
    conversations = Conversations(messages, directory)
    stack.push_async_callback(_save, conversations)
    observe = base.metrics.append.observe
    publish = base.ground.publish
    chat = Chat(messages, directory, conversations, publish, now=unix_ms, observe=observe)
    await stack.enter_async_context(chat)
    assert base.storage.journal is not None, "every store has one"
    locks, load = Holding(base.ground.locks), base.ground.load
    coordinator = assemble(
        chat, conversations, directory, base.storage.journal, locks, load, now=unix_ms
    )
    online = base.ground.online
    desk = Desk(directory, conversations, chat, online)
    history = History(messages, chat)
    hub = Hub(base.ground.bus, online)
    finder = Finder(base.storage.search, directory, desk)
    commands = Commands(chat, Calls(history, desk, finder), hub, base.metrics, clock)
    limits = (base.settings.max_sessions, base.settings.max_sessions_per_address)
    base.start(conversations.run())
    base.start(online.run())
    base.start(coordinator.watch())
    base.start(_mend(conversations))
    return Gateway(
        people.identity.authenticate,
        people.shops,
        desk,
        history,
        hub,
        commands,
        Admission(*limits),
        base.metrics,
        now=unix_ms,
        random=random.Random(),
    )


def _quart(base: _Base, people: _People, addresses: Addresses, login: demo.Login | None) -> Quart:
    """The application for plain HTTP."""
    app = Quart("tradewind", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST, BODY_TIMEOUT=BODY_TIMEOUT, PROVIDE_AUTOMATIC_OPTIONS=False
    )
    QuartSchema(
        app,
        swagger_ui_path=None,
        redoc_ui_path=None,
        scalar_ui_path=None,
        conversion_preference="msgspec",
        info=Info(title="Tradewind", version="1", description="What is not live; see protocol.md."),
    )
    app.register_blueprint(visitor.blueprint(people.identity, people.shops, addresses))
    app.register_blueprint(agent.blueprint(people.identity, addresses))
    app.register_blueprint(
        ops.blueprint(
            base.storage.log,
            base.storage.directory,
            base.gather,
            leaving=base.leaving,
            metrics_token=base.settings.metrics_token,
        )
    )
    if login is not None:
        shown = ops.DemoLogin(login.email, login.password, login.shop)
        app.register_blueprint(ops.demo_blueprint(shown))
    start = "/console/" if login is None else "/demo/"
    app.register_blueprint(pages.blueprint(pages.Pages(pages.FOLDER), start=start))
    errors.install(app)
    security.install(app, addresses, people.shops)
    access.install(app)
    return app


@asynccontextmanager
async def _background() -> AsyncIterator[Start]:
    """Starts tasks that run until the block is left, and are cancelled then."""
    started: list[asyncio.Task[None]] = []
    fault: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        try:
            yield lambda work: started.append(tasks.create_task(work))
        except Exception as error:
            fault = error  # Not raised through the group, which would wrap it.
        finally:
            for task in started:
                task.cancel()
    if fault is not None:
        raise fault


async def _save(conversations: Conversations) -> None:
    """Write what is written behind; the log can rebuild what cannot be written now."""
    try:
        await conversations.flush()
    except StorageError as error:
        log.warning("folds not written; they are rebuilt at the next start", reason=str(error))


async def _mend(conversations: Conversations) -> None:
    """After a kill, bring the lists level with the logs."""
    try:
        if mended := await conversations.mend():
            log.info("caught up with the log", conversations=mended)
    except StorageError as error:
        log.warning("lists may be behind until they are read", reason=str(error))


@asynccontextmanager
async def running(
    settings: Settings, shared: Shared | None = None
) -> AsyncIterator[tuple[Parts, Listening]]:
    """A server that listens until the block is left. Raises OSError when a port is taken."""
    async with building(settings, shared=shared) as parts:
        config = ServeConfig(
            certificates=parts.certificates,
            gate=parts.door.gate,
            host=settings.host,
            port=settings.port,
            loopback_port=settings.http_port if settings.http else None,
            secret=secret.load(settings),
            tickets=parts.tickets,
            qlog=_qlog(settings),
        )
        sockets = None if shared is None else shared.sockets
        async with serving(parts.door, config, sockets) as listening:
            parts.addresses.listening(listening.port, listening.loopback_port)
            parts.metrics.watch(listeners=listening.stats, histograms=listening.histograms)
            yield parts, listening


def _qlog(settings: Settings) -> Qlog | None:
    if settings.qlog_dir is None:
        return None
    return Qlog(settings.qlog_dir, share=settings.qlog_share, address=settings.qlog_address)


async def run(settings: Settings, announce: Callable[[Parts, Listening], None]) -> None:
    """Serve until SIGTERM (drain first) or SIGINT (leave at once)."""
    threads.take_turns()
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[float] = loop.create_future()

    def leave(patience: float) -> None:
        if not stop.done():
            stop.set_result(patience)

    async with running(settings) as (parts, listening), garbage.in_pieces(parts.metrics.paused):
        loop.add_signal_handler(signal.SIGTERM, leave, settings.drain_seconds)
        loop.add_signal_handler(signal.SIGINT, leave, 0.0)
        announce(parts, listening)
        patience = await stop
        log.info("leaving", patience=patience)
        parts.leaving.now = True
        await parts.gateway.drain(patience)
