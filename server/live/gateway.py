"""The gateway: from a raw session to a welcomed one, and out again.

    hello ─▶ version, positions ─▶ token ─▶ origin ─▶ follow ─▶ replay ─▶ welcome ─▶ commands

What holds always: nothing but `hello` is looked at before the token is good; a session that is not
let in is told by a close code what to do (docs/protocol.md, section 10); after `drain` no session
is let in, and all are gone when it returns.
May import: domain, service, live; the session of transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

import structlog
from prometheus_client import Gauge

from server.domain.people import Caller, Role
from server.domain.refusal import Refusal
from server.live.admission import Admission
from server.live.commands import Commands
from server.live.follower import Follower
from server.live.hub import Hub
from server.metrics import Metrics
from server.service.desk import Desk
from server.service.history import History
from server.service.identity import Unauthenticated
from server.service.view import deliver
from transport.errors import CloseCode, SessionClosed
from transport.session import Session
from transport.wire.frames import VERSION, Drain, Hello, Welcome

MAX_POSITIONS = 64
"""Positions in `hello`. Over it: PROTOCOL_ERROR."""
HEARTBEAT = 25_000
"""Milliseconds of silence after which a client pings."""
DRAIN_SHARE = 0.8
"""The share of the drain's time in which clients are asked to move; the rest is for stragglers."""

log = structlog.get_logger(__name__)


class Origins(Protocol):
    """Decides where sessions may come from."""

    async def fits(self, caller: Caller, origin: str | None, home: frozenset[str]) -> bool:
        """Whether this person may connect from a page of `origin`; `home` are our own origins."""
        ...


class NotAdmitted(Exception):
    """The session is closed with this code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gateway:
    """Serves sessions."""

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Caller]],
        origins: Origins,
        desk: Desk,
        history: History,
        hub: Hub,
        commands: Commands,
        admission: Admission,
        metrics: Metrics,
        *,
        now: Callable[[], int],
        random: Random,
    ) -> None:
        self._authenticate = authenticate
        self._origins = origins
        self._desk = desk
        self._history = history
        self._hub = hub
        self._commands = commands
        self._admission = admission
        self._metrics = metrics
        self._now = now
        self._random = random
        self._draining = False
        self._sessions: set[Session] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        metrics.watch(lanes=lambda: [session.counters for session in self._sessions])

    async def serve(self, session: Session, home: frozenset[str] = frozenset()) -> None:
        """Serve one session to its end. `home`: the origins of our own pages, as it came to us."""
        if not self._enter(session):
            return
        try:
            follower = await self._follow(session, home)
            if follower is not None:
                try:
                    await self._commands.serve(follower)
                finally:
                    await self._part(follower)
        finally:
            await self._leave(session)

    async def drain(self, seconds: float) -> None:
        """Ask all to move on within `seconds`, then close who is left. 0: close at once."""
        self._draining = True
        if seconds > 0:
            self.move(seconds)
            try:
                async with asyncio.timeout(seconds):
                    await self._empty.wait()
            except TimeoutError:
                log.info("closing the sessions that did not move", sessions=len(self._sessions))
        for session in tuple(self._sessions):
            session.close(CloseCode.GOING_AWAY, "the server is leaving")
        await asyncio.gather(*(session.wait_closed() for session in tuple(self._sessions)))

    def move(self, seconds: float) -> None:
        """Ask all to begin a new session within `seconds`, here or elsewhere: it will resume."""
        for follower in self._hub.followers():
            if not follower.asked_to_move:
                follower.asked_to_move = True
                self._ask_to_move(follower, seconds)

    def _ask_to_move(self, follower: Follower, seconds: float) -> None:
        if follower.welcomed:
            share = self._random.uniform(DRAIN_SHARE / 2, DRAIN_SHARE)
            follower.tell(Drain(int(seconds * share * 1000)))
        else:
            follower.session.close(CloseCode.GOING_AWAY, "begin anew")

    def _enter(self, session: Session) -> bool:
        if self._draining or not self._admission.enter(session.info.peer[0]):
            code = CloseCode.GOING_AWAY if self._draining else CloseCode.OVERLOADED
            session.close(code, "no room here; come back later")
            self._metrics.ended(session.counters, code.name)
            return False
        self._sessions.add(session)
        self._empty.clear()
        return True

    async def _leave(self, session: Session) -> None:
        code = CloseCode.INTERNAL.name
        try:
            code = await _end_of(session)
        finally:
            # In one breath: whoever counts sessions meanwhile must find it in one place.
            self._sessions.discard(session)
            self._metrics.ended(session.counters, code)
            self._admission.leave(session.info.peer[0])
            if not self._sessions:
                self._empty.set()

    async def _follow(self, session: Session, home: frozenset[str]) -> Follower | None:
        """The session as a welcomed follower, who has to `_part`; None when it is not let in."""
        try:
            hello = await session.receive()
            assert isinstance(hello, Hello)  # The machine lets nothing else come first.
            caller = await self._identify(session, hello, home)
        except SessionClosed:
            return None
        except NotAdmitted as refused:
            log.info("session.refused", **_about(session), code=refused.code.name)
            session.close(refused.code, refused.reason)
            return None
        log.debug("session.joined", **_about(session), who=caller.who)
        follower = await self._hub.join(session, caller)
        self._gauge(follower).inc()
        try:
            await self._welcome(follower, hello)
        except BaseException:
            await self._part(follower)
            raise
        return follower

    async def _part(self, follower: Follower) -> None:
        self._gauge(follower).dec()
        await self._hub.leave(follower)

    def _gauge(self, follower: Follower) -> Gauge:
        transport, role = follower.session.info.transport, follower.caller.role
        return self._metrics.sessions.labels(transport, role.name.lower())

    async def _identify(self, session: Session, hello: Hello, home: frozenset[str]) -> Caller:
        if hello.version != VERSION:
            raise NotAdmitted(
                CloseCode.UNSUPPORTED_VERSION, f"this server speaks version {VERSION}"
            )
        if len(hello.resume) > MAX_POSITIONS:
            raise NotAdmitted(
                CloseCode.PROTOCOL_ERROR, f"at most {MAX_POSITIONS} positions in hello"
            )
        try:
            caller = await self._authenticate(hello.token)
            fits = await self._origins.fits(caller, session.info.origin, home)
        except Unauthenticated as error:
            code = CloseCode.TOKEN_EXPIRED if error.expired else CloseCode.UNAUTHENTICATED
            raise NotAdmitted(code, str(error)) from None
        except Refusal as error:
            raise NotAdmitted(CloseCode.INTERNAL, error.message) from None
        if not fits:
            raise NotAdmitted(
                CloseCode.FORBIDDEN, "this origin is not one of the shop's; add it there"
            )
        return caller

    async def _welcome(self, follower: Follower, hello: Hello) -> None:
        caller, session = follower.caller, follower.session
        try:
            state = await self._desk.state(caller)
            replay = await self._history.replay(caller, hello.resume)
        except Refusal as error:
            session.close(CloseCode.INTERNAL, error.message)
            return
        welcome = Welcome(
            VERSION, session.info.id, caller.who, self._now(), HEARTBEAT, replay.resumed, state
        )
        agents = self._hub.agents_online(caller.shop) if caller.role is Role.VISITOR else ()
        follower.welcome(welcome, map(deliver, replay.entries), agents)


def _about(session: Session) -> dict[str, str]:
    """What logs say of a session."""
    info = session.info
    return {"session": str(info.id), "transport": info.transport, "peer": info.peer[0]}


async def _end_of(session: Session) -> str:
    """The name of the code a session ended with, for the metrics."""
    if not session.closed:
        return CloseCode.INTERNAL.name  # Left by an exception; the driver closes it next.
    try:
        while True:
            await session.receive()
    except SessionClosed as end:
        return CloseCode(end.code).name if end.code in set(CloseCode) else "OTHER"
