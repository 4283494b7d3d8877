"""A client that outlives its sessions: it connects, resumes, sends again, and gives up when told.

    async with Client(Settings(url="https://chat.example:8443/v1/live"), token) as client:
        accepted = await client.send(conversation, "message", {"text": "hello"})
        async for entry in client.entries():
            ...

What holds always: a message that was given to `send` is accepted once, or its future says why not;
the entries of a conversation come out in order, each once, with those missed while away fetched;
after `drain` the next session is live before the old one is closed; leaving the block ends all.

Bounds: those of outbox, calls, entries and cursor; MAX_REAUTHENTICATIONS; PARTING.
May import: everything else in client, driver, session, wire, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from random import Random
from types import TracebackType
from typing import Any
from uuid import UUID

from msgspec import Raw

from transport.client.backoff import Backoff
from transport.client.calls import Calls
from transport.client.dial import connect, server_of
from transport.client.entries import Entries
from transport.client.errors import ClientStopped, DialError, DialRefused
from transport.client.follower import Follower
from transport.client.link import Link
from transport.client.native import NativeCarrier
from transport.client.outbox import Outbox
from transport.client.race import race
from transport.client.settings import Connected, Settings, Token
from transport.client.tickets import TicketCache
from transport.client.udp import Movable, Unanswered
from transport.driver import Driver
from transport.errors import Advice, CloseCode, LocalProtocolError, SessionClosed, advice
from transport.session import TransportKind
from transport.uuid7 import uuid7
from transport.wire import codec
from transport.wire.frames import (
    VERSION,
    Accepted,
    Deliver,
    Drain,
    Frame,
    Hello,
    Position,
    Queued,
    Refused,
    Result,
    Send,
    Welcome,
)

MAX_REAUTHENTICATIONS = 3
"""New tokens in a row that the server did not like either, before the client stops."""
PARTING = 1.0
"""Seconds that a session is still heard after another has taken its place."""


class Client:
    """See the module's first lines. `on_frame` gets what no other part of the client takes, such as
    `typing` and `presence`; `on_connected` is told of every session that came about."""

    def __init__(
        self,
        settings: Settings,
        token: Token,
        *,
        on_frame: Callable[[Frame], None] = lambda frame: None,
        on_connected: Callable[[Connected], None] = lambda connected: None,
        random: Random | None = None,
    ) -> None:
        self.settings = settings
        self.last_error: Exception | None = None
        """Why the last attempt to connect failed."""
        self._token = token
        self._on_frame = on_frame
        self._on_connected = on_connected
        self._random = random or Random()
        self._tickets = TicketCache() if settings.tickets is None else settings.tickets
        self._backoff = Backoff(self._random)
        self._outbox = Outbox(self._random.uniform)
        self._calls = Calls(self._push)
        self._follower = Follower(self._calls.ask, self._push, self._chore)
        self._link: Link | None = None
        """Where frames go. It may be joining, or over."""
        self._links: set[Link] = set()
        self._refused_tokens = 0
        self.me = ""
        """Who the server says we are; nobody before it has welcomed us."""
        self._stopped: ClientStopped | None = None
        self._ready: asyncio.Future[Welcome] | None = None
        self._tasks = asyncio.TaskGroup()
        self._chores: set[asyncio.Task[None]] = set()
        """What need not be finished when the client leaves, the supervisor first of all."""

    async def __aenter__(self) -> Client:
        await self._tasks.__aenter__()
        self._ready = self._future()
        self._chore(self._supervise())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for chore in self._chores:
            chore.cancel()
        self._stop(ClientStopped(CloseCode.NORMAL, "the client left"))
        if isinstance(error, asyncio.CancelledError):
            await self._tasks.__aexit__(kind, error, traceback)
        else:  # What the block raised should come out as it is, not in a group.
            await self._tasks.__aexit__(None, None, None)

    # What it offers.

    async def ready(self) -> Welcome:
        """The `welcome` of the first session. Raises ClientStopped when there will be none."""
        assert self._ready is not None, "use `async with`"
        return await asyncio.shield(self._ready)

    @property
    def transport(self) -> TransportKind | None:
        """What carries the present session; None between two."""
        link = self._link
        return None if link is None or link.session.closed else link.session.info.transport

    def send(
        self,
        conversation: UUID,
        kind: str,
        body: Mapping[str, Any],
        client_id: UUID | None = None,
    ) -> asyncio.Future[Accepted]:
        """Queue an entry. The future gives `accepted`, or raises Refusal or ClientStopped.

        Raises OutboxFull, ClientStopped, and LocalProtocolError when it is too large.
        """
        self._raise_if_stopped()
        frame = Send(client_id or uuid7(), conversation, kind, codec.pack(body))
        codec.encode(frame)  # Too large is said here, not when it is sent some time later.
        answer = self._outbox.put(frame, self._future())
        self._pump()
        return answer

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Raw:
        """Ask. Asked again on the next session when this one ends first. Raises Refusal."""
        self._raise_if_stopped()
        return await self._calls.ask(method, codec.pack(params or {}))

    def tell(self, frame: Frame) -> bool:
        """Send a frame that nobody answers, such as `typing`; say whether there was a session."""
        return self._push(frame)

    def entries(self) -> Entries:
        """Everything delivered from now on."""
        entries = self._follower.listen()
        if self._stopped is not None:
            entries.end(self._stopped)
        return entries

    def follow(self, conversation: UUID, epoch: int = 0, seq: int = 0) -> None:
        """Resume a conversation from this entry on the next session: what a former run held."""
        self._follower.follow(Position(conversation, epoch, seq))

    def move(self, local: tuple[str, int] | None = None) -> bool:
        """The network has changed: go on from another socket, bound to `local` if that is given,
        with the same session. False where the transport cannot, or the address cannot be had:
        what does not answer any more is then replaced in time, like any other session."""
        carrier: object = None if self._link is None else self._link.session.carrier
        if not isinstance(carrier, Movable):
            return False
        try:
            carrier.move(local)
        except OSError as error:
            self.last_error = error
            return False
        return True

    def cut(self) -> None:
        """Cut the present session's transport, as a dead network would."""
        if self._link is not None:
            self._link.session.abort()

    # Its sessions.

    async def _supervise(self) -> None:
        """Keep a session; find the next one when this one ends or drains."""
        try:
            while True:
                link = await self._connect()
                try:
                    deadline = await link.told_to_go()
                except SessionClosed as closed:
                    await self._recover(closed)
                else:
                    await link.ends_within(self._random.uniform(0, deadline))
        except ClientStopped as stopped:
            self._stop(stopped)

    async def _connect(self) -> Link:
        """Try until a session is live."""
        while True:
            try:
                return await self._try()
            except DialError as error:
                self.last_error = error
                if isinstance(error, DialRefused) and error.status == 403:
                    raise ClientStopped(CloseCode.FORBIDDEN, str(error)) from error
                await asyncio.sleep(self._backoff.next())
            except SessionClosed as closed:
                await self._recover(closed)

    async def _try(self) -> Link:
        clock = asyncio.get_running_loop().time
        token = await self._token(self._refused_tokens > 0)
        started = clock()
        link = await self._open(token)
        opened = clock()
        welcome = await link.welcomed()
        self._adopt(link)
        self._backoff.reset()
        self._refused_tokens = 0
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_result(welcome)
        carrier = link.session.carrier
        early = isinstance(carrier, NativeCarrier) and carrier.early
        kind = link.session.info.transport
        self._on_connected(Connected(kind, started, opened, clock(), early))
        return link

    async def _open(self, token: str) -> Link:
        """A session that has said hello. While the first is not answered the others are tried, and
        may say it as well: what is said twice counts once."""
        attempts = [partial(self._way, kind, token) for kind in self.settings.transports]
        early = await self._start_early(token)
        if early is not None:
            attempts.insert(0, partial(self._answered, early))
        link = await race(attempts, self.settings.head_start, self._give_up)
        if self._link is None:
            self._adopt(link)
        return link

    async def _way(self, kind: TransportKind, token: str) -> Link:
        """Say hello over this transport as soon as it can be said, and see whether it is heard."""
        session = await self._dial(kind)
        link = self._start(session, token)
        carrier = session.carrier
        if isinstance(carrier, Unanswered):
            try:
                await carrier.answered()
            except BaseException:
                self._give_up(link)
                raise
        return link

    async def _answered(self, early: Link) -> Link:
        """What was said with a ticket is answered by `welcome`, or not at all."""
        try:
            await early.answered()
        except BaseException:
            self._give_up(early)
            raise
        return early

    def _give_up(self, link: Link) -> None:
        """Another way was better, or this one led nowhere."""
        if self._link is link:
            self._link = None
        link.session.abort()

    async def _start_early(self, token: str) -> Link | None:
        """Say hello to a server that we have a ticket of, beside the first packet to it."""
        settings = self.settings
        if TransportKind.QUIC not in settings.transports or settings.origin is not None:
            return None
        host, port = server_of(settings.url)
        if not self._tickets.has(host, port):
            return None
        session = await self._dial(TransportKind.QUIC, early=True)
        return self._start(session, token)

    async def _dial(self, kind: TransportKind, *, early: bool = False) -> Driver:
        settings = self.settings
        return await connect(
            settings.url,
            kind,
            trust=settings.trust,
            origin=settings.origin,
            timeout=settings.timeout,
            datagrams=settings.datagrams,
            roaming=settings.roaming,
            tickets=self._tickets,
            early=early,
            eager=True,
        )

    def _start(self, session: Driver, token: str) -> Link:
        """Say hello. Where no other session is live, what waits goes along with it at once."""
        link = Link(session)
        session.send(Hello(VERSION, token, self._follower.positions(), self.settings.name))
        if self._link is None or self._link.session.closed:
            self._adopt(link)
        self._links.add(link)
        self._tasks.create_task(self._run(link))
        self._tasks.create_task(self._read(link))
        return link

    def _adopt(self, link: Link) -> None:
        """From now on frames go here; those without an answer go again."""
        if (old := self._link) is link:
            return
        self._link = link
        self._outbox.restart()
        self._pump()
        for call in self._calls.due():
            self._push(call)
        if old is not None and not old.session.closed:
            self._chore(self._part(old))

    async def _part(self, old: Link) -> None:
        """Hear what is on its way there, then close it: the answer to what went out just before the
        move is mostly sooner here than that to its second copy on the next session."""
        await old.ends_within(PARTING)
        old.session.close(CloseCode.NORMAL, "moved on")

    async def _recover(self, closed: SessionClosed) -> None:
        """Do what the close code advises: wait and return, or raise ClientStopped."""
        self.last_error = closed
        advised = advice(closed.code)
        if advised is Advice.REAUTHENTICATE:
            self._refused_tokens += 1
        if advised is Advice.STOP or self._refused_tokens > MAX_REAUTHENTICATIONS:
            raise ClientStopped(closed.code, closed.reason)
        await asyncio.sleep(self._backoff.next())

    async def _run(self, link: Link) -> None:
        try:
            await link.session.run()
        finally:
            self._links.discard(link)

    async def _read(self, link: Link) -> None:
        try:
            while True:
                self._take(link, await link.session.receive())
        except SessionClosed as closed:
            link.over.set_result(closed)

    # Frames.

    def _pump(self) -> None:
        """Send what the outbox lets go. Where there is no session, the next one is told all."""
        if self._link is not None:
            for frame in self._outbox.take():
                self._push(frame)

    def _push(self, frame: Frame) -> bool:
        if self._link is None:
            return False
        try:
            self._link.session.send(frame)
        except (SessionClosed, LocalProtocolError):
            return False  # Over, or not far enough: it goes on the next session.
        return True

    def _take(self, link: Link, frame: Frame) -> None:
        if isinstance(frame, Deliver):
            self._follower.deliver(frame)
            if frame.author == self.me:
                self._outbox.delivered(frame)
                self._pump()
        elif isinstance(frame, Accepted):
            self._follower.accepted(frame)
            self._outbox.accepted(frame)
            self._pump()
        elif isinstance(frame, Refused):
            self._refused(link, frame)
        elif isinstance(frame, Queued):
            self._outbox.queued(frame.client_id)
            self._pump()
            self._on_frame(frame)
        elif isinstance(frame, Result):
            self._calls.result(frame)
        elif isinstance(frame, Welcome):
            self.me = frame.me
            link.welcome.set_result(frame)
            self._follower.welcomed(frame)
        elif isinstance(frame, Drain):
            link.drain.set_result(frame)
        else:
            self._on_frame(frame)

    def _refused(self, link: Link, frame: Refused) -> None:
        if frame.call is not None:
            self._calls.refused(frame.call, frame)
        elif frame.client_id is None:
            self._on_frame(frame)
        elif frame.retry_after is not None and link is not self._link:
            pass  # It has gone again on the session that took this one's place.
        else:
            if (rest := self._outbox.refused(frame)) is not None:
                self._chore(self._wake(*rest))
            self._pump()

    async def _wake(self, conversation: UUID, rest: float) -> None:
        await asyncio.sleep(rest)
        self._outbox.wake(conversation)
        self._pump()

    def _chore(self, work: Coroutine[None, None, None]) -> None:
        task = self._tasks.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    # The end.

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise ClientStopped(self._stopped.code, self._stopped.reason)

    def _stop(self, stopped: ClientStopped) -> None:
        """Close what is open and tell whoever waits."""
        if self._stopped is not None:
            return
        self._stopped = stopped
        for link in self._links:
            link.session.close(CloseCode.NORMAL, "leaving")
        self._outbox.fail_all(stopped)
        self._calls.fail_all(stopped)
        self._follower.end(stopped)
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_exception(stopped)

    def _future(self) -> asyncio.Future[Any]:
        """A future that may fail without anybody looking at it."""
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future
