"""A process of load: takes orders on stdin, answers on stdout, one line of JSON each.

    python -m bench.load.generator

What holds always: it opens sessions as fast as the server answers and no faster, and chats in an
open loop, whatever the server does; it ends when its input does.
Bounds: MAX_DELAYS delays per chat are kept; PER_SOCKET connections share a UDP socket and a source
address, PER_ADDRESS of TCP share a source address (a source has 28,000 ports, and a carrier's NAT
has many shoppers too).
May import: orders, session, quic, websocket, people, timers, meter.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec
import uvloop

from bench.load import meter, people, quic, websocket
from bench.load.ledger import Row, Verdict
from bench.load.orders import (
    Answer,
    Chat,
    Chatted,
    Cycle,
    Cycled,
    Leave,
    Open,
    Order,
    Setup,
    State,
    Verified,
    Verify,
)
from bench.load.session import Session
from bench.load.timers import Timers
from transport.client.follower import History
from transport.errors import SessionClosed

MAX_DELAYS = 200_000
PER_SOCKET = 200
PER_ADDRESS = 400
OPEN_TIMEOUT = 20.0
"""Seconds until a session is live, or counts as failed."""
LATE = 0.05
YOUNG, MIDDLE, NEVER = 2_000, 20, 1 << 30
"""When garbage is collected. All objects are never looked at: with 30,000 sessions that would take
most of a second, and would be somebody's delay."""
MAX_LINE = 1 << 24

clock = time.monotonic


class Generator:
    """The sessions of one process. It is their `Book`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._timers = Timers(asyncio.get_running_loop())
        self._tls = websocket.context()
        self._sockets: list[quic.Socket] = []
        self._sessions: list[tuple[str, Session]] = []
        self._opened = Counter[str]()
        self._visitors = 0
        self._why = Counter[str]()
        self._delays: list[float] = []
        self._refusals = Counter[str]()
        self._waiting: dict[Session, asyncio.Future[None]] = {}

    async def obey(self, order: Order) -> Answer:
        """Carry out one order."""
        if isinstance(order, Open):
            await self._open(order)
        elif isinstance(order, Chat):
            return await self._chat(order)
        elif isinstance(order, Verify):
            return await self._verify()
        elif isinstance(order, Cycle):
            return await self._cycle(order)
        elif isinstance(order, Leave):
            self._leave()
        return State(sum(session.live for _, session in self._sessions), dict(self._why))

    # The book of its sessions.

    def live(self, session: Session) -> None:
        self._wake(session)

    def over(self, session: Session, why: str) -> None:
        if why not in ("left", "1000 "):
            self._why[why] += 1
        self._wake(session)

    def delivered(self, session: Session, seconds: float) -> None:
        if len(self._delays) < MAX_DELAYS:
            self._delays.append(seconds)

    def accepted(self, session: Session) -> None:
        self._wake(session)

    def refused(self, session: Session, code: str) -> None:
        self._refusals[code] += 1
        self._wake(session)

    def _wake(self, session: Session) -> None:
        if (waiting := self._waiting.get(session)) is not None and not waiting.done():
            waiting.set_result(None)

    # Opening.

    async def _open(self, order: Open) -> None:
        """Make visitors and connect them, both kinds mixed evenly."""
        room = asyncio.Semaphore(order.at_once)
        kinds = _mixed(order.quic, order.websocket)
        async with asyncio.TaskGroup() as tasks:
            async for token in self._tokens(len(kinds)):
                await room.acquire()
                kind, session = kinds.pop(), self._session(token)
                self._sessions.append((kind, session))
                joining = tasks.create_task(self._join(kind, session))
                joining.add_done_callback(lambda _: room.release())

    async def _tokens(self, count: int) -> AsyncIterator[str]:
        setup, number = self._setup, self._visitors // people.PER_ADDRESS + 1
        self._visitors += count + people.PER_ADDRESS
        first = setup.first_source + number
        async for token in people.visitors("127.0.0.1", setup.http_port, count, first):
            yield token

    def _session(self, token: str) -> Session:
        return Session(token, self, self._timers, clock)

    async def _join(self, kind: str, session: Session) -> bool:
        """Connect one session and wait until it is live or over."""
        self._opened[kind] += 1
        if kind == "quic":
            (await self._socket()).connect(session)
        else:
            number = self._opened[kind] // PER_ADDRESS
            await websocket.Line.open(
                people.source(self._setup.first_source + number),
                (self._setup.address, self._setup.port),
                self._setup.name,
                self._tls,
                session,
            )
        await self._until(session, lambda: session.live or session.over, OPEN_TIMEOUT)
        if not (session.live or session.over):
            self._why["not live in time"] += 1
        return session.live

    async def _socket(self) -> quic.Socket:
        setup, number = self._setup, (self._opened["quic"] - 1) // PER_SOCKET
        while len(self._sockets) <= number:
            address = people.source(setup.first_source + len(self._sockets))
            peer = (setup.address, setup.port)
            made = await quic.Socket.open(address, peer, setup.name, self._timers)
            self._sockets.append(made)
        return self._sockets[number]

    async def _until(self, session: Session, done: Callable[[], bool], timeout: float) -> None:
        """Wait until `done()`, looking again whenever something happens to the session."""
        try:
            async with asyncio.timeout(timeout):
                while not done():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting[session] = future
                    await future
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(session, None)

    # Chatting.

    async def _chat(self, order: Chat) -> Chatted:
        self._delays.clear()
        self._refusals.clear()
        senders = [session for _, session in self._sessions if session.live][: order.senders]
        if not senders:
            return Chatted()
        sent = late = 0
        total, started = int(order.per_second * order.seconds), clock()
        while sent < total:
            due = started + sent / order.per_second
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            late += clock() - due > LATE
            senders[sent % len(senders)].say()
            sent += 1
        await self._settled(senders, order.patience)
        return Chatted(sent, list(self._delays), dict(self._refusals), late)

    async def _settled(self, senders: list[Session], patience: float) -> None:
        """Wait until everything is answered, or for as long as patience lasts."""
        end = clock() + patience
        for session in senders:
            await self._until(session, _answered(session), max(0.0, end - clock()))

    async def _verify(self) -> Verified:
        verdict, unread = Verdict(), 0
        for kind, session in self._sessions:
            if session.ledger is None:
                continue
            if session.over:
                session.reopen()
                await self._join(kind, session)
            try:
                log = await self._read(session)
            except (SessionClosed, TimeoutError):
                unread += 1
                continue
            verdict += session.ledger.verdict(log)
        return Verified(verdict, unread)

    async def _read(self, session: Session) -> list[Row]:
        """The whole log of its conversation."""
        log: list[Row] = []
        while True:
            params = {"conversation": session.chat, "after": len(log), "limit": 100}
            async with asyncio.timeout(OPEN_TIMEOUT):
                value = await session.call("history", params)
            entries = msgspec.msgpack.decode(value, type=History).entries
            log += [Row(entry[2], entry[4]) for entry in entries]
            if not entries:
                return log

    # Coming and going.

    async def _cycle(self, order: Cycle) -> Cycled:
        tokens = [token async for token in self._tokens(min(order.visitors, order.cycles))]
        left, done = iter(range(order.cycles)), 0
        self._why.clear()

        async def come_and_go() -> None:
            nonlocal done
            for number in left:
                accepted = await self._visit(order.kind, tokens[number % len(tokens)])
                done += accepted  # Not in one line: others count while this one waits.

        async with asyncio.TaskGroup() as tasks:
            for _ in range(order.at_once):
                tasks.create_task(come_and_go())
        return Cycled(done, dict(self._why))

    async def _visit(self, kind: str, token: str) -> bool:
        session = self._session(token)
        if kind == "quic":
            self._opened[kind] %= PER_SOCKET  # They come and go: one socket will do.
        if not await self._join(kind, session):
            return False
        session.say()
        await self._until(session, _answered(session), OPEN_TIMEOUT)
        accepted = not session.waiting
        session.leave()
        return accepted

    def _leave(self) -> None:
        for _, session in self._sessions:
            session.leave()
        self._sessions.clear()


def _answered(session: Session) -> Callable[[], bool]:
    return lambda: not session.waiting or session.over


def _mixed(quic: int, websocket: int) -> list[str]:
    """So many of each, evenly spread."""
    total, kinds = quic + websocket, []
    for number in range(total):
        fair = (number + 1) * quic // total - number * quic // total
        kinds.append("quic" if fair else "websocket")
    return kinds


async def serve() -> None:
    """Obey until the input ends."""
    reader = asyncio.StreamReader(MAX_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    setup = msgspec.json.decode(await reader.readline(), type=Setup)
    generator = Generator(setup)
    while line := await reader.readline():
        order = msgspec.json.decode(line, type=Order)
        answer = await generator.obey(order)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Run, with as many files as the system lets us have."""
    meter.lift_files()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve())


if __name__ == "__main__":
    main()
