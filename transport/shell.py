"""The shell around a sans-IO machine and a carrier: what a session and a link have in common.

    carrier.receive ─▶ machine.receive ─▶ inbox ─▶ receive
    send ─▶ machine.poll ─▶ outlets ─▶ carrier.send

What holds always: every task belongs to `run`, which returns when the transport below is gone; a
task that writes lives only while there is something to write; `run` ends at most CLOSE_LINGER
seconds after the end of the session, whatever the peer does (a `serve` may take its own time).

Bounds. Inwards `max_unread` items: when more input comes while so many wait, a shell that is not
patient closes with FLOODING; a patient one stops reading instead, so that the transport's own flow
control slows the peer. One input adds at most the lane's WINDOW and a slice. Outwards the machine
holds what waits, and who sends has to look at `waiting`.

May import: carrier, alarm, outlet, session's bounds, wire, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

import structlog

from transport.alarm import Alarm
from transport.carrier import Carrier
from transport.errors import CloseCode, RemoteProtocolError, SessionClosed
from transport.outlet import Outlet
from transport.session import CLOSE_LINGER
from transport.wire.lane import Counters, Packet, Via

SLICE = 4096
"""Stream bytes fed to the machine at once; between slices the server has its turn."""
BREATHER = 32
"""Unread items at which the reading task waits for one turn of the loop."""
TURN = 64
"""Inputs after which a session lets all others have their turn."""

T = TypeVar("T")
M = TypeVar("M", bound="Machine[Any]")

log = structlog.get_logger(__name__)


class Machine(Protocol[T]):
    """Bytes and time in, items for the layer above and bytes out."""

    counters: Counters
    closed: SessionClosed | None

    @property
    def queued(self) -> int:
        """Bytes that `poll` has not handed out, or not for the last time."""
        ...

    def receive(self, via: Via, data: bytes, now: float) -> list[T]:
        """Take bytes of the transport; never raises for what the peer did."""
        ...

    def poll(self, now: float) -> list[Packet]:
        """What is due."""
        ...

    def next_timer(self) -> float | None:
        """When to poll next."""
        ...

    def close(self, code: int, reason: str, now: float) -> None:
        """End it from this side."""
        ...

    def lost(self, code: int = ..., reason: str = ...) -> None:
        """The transport ended."""
        ...


class Shell(Generic[T, M]):
    """Carries a machine. Nothing moves until `run` is awaited; what was sent before goes out
    then."""

    __slots__ = (
        "_alarm",
        "_carrier",
        "_closing",
        "_datagrams",
        "_gone",
        "_hurry",
        "_inbox",
        "_linger",
        "_loop",
        "_machine",
        "_max_unread",
        "_over",
        "_patient",
        "_reader",
        "_room",
        "_stream",
        "_tasks",
    )

    def __init__(self, carrier: Carrier, machine: M, *, max_unread: int, patient: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._carrier = carrier
        self._machine = machine
        self._max_unread = max_unread
        self._patient = patient
        self._alarm = Alarm(self._loop, self._flush)
        # Lists, not deques: an empty deque takes 760 bytes, and most sessions idle.
        self._inbox: list[T] = []
        self._stream = Outlet()
        self._datagrams = Outlet()
        self._reader: asyncio.Future[None] | None = None
        """`receive`, waiting for a frame."""
        self._room: asyncio.Future[None] | None = None
        """The reading task of a patient one, waiting for `receive` to make room."""
        self._gone: asyncio.Future[None] | None = None
        """`wait_closed`, waiting for the transport to be gone."""
        self._tasks: asyncio.TaskGroup | None = None
        """Set while `run` runs and the transport is there."""
        self._linger: asyncio.Timeout | None = None
        self._closing: asyncio.Task[None] | None = None
        self._hurry: float | None = None
        """When the carrier is closed even if not all was written."""
        self._over = False

    # What both ends use.

    @property
    def counters(self) -> Counters:
        return self._machine.counters

    @property
    def closed(self) -> bool:
        return self._machine.closed is not None

    @property
    def waiting(self) -> int:
        """Bytes that wait for the peer."""
        return self._machine.queued + self._stream.size

    async def receive(self) -> T:
        while not self._inbox:
            self._raise_if_closed()
            self._reader = self._loop.create_future()
            await self._reader
        item = self._inbox.pop(0)
        _wake(self._room)
        return item

    def close(self, code: int, reason: str = "") -> None:
        now = self._loop.time()
        self._machine.close(code, reason, now)
        self._flush(now)

    async def wait_closed(self) -> None:
        while not self._over:
            if self._gone is None or self._gone.done():
                self._gone = self._loop.create_future()
            # Several may wait; one that is cancelled must not cancel the others.
            await asyncio.shield(self._gone)

    @property
    def carrier(self) -> Carrier:
        """What carries it. Not part of a seam."""
        return self._carrier

    def abort(self) -> None:
        """Cut the transport and say nothing, as a dead network would. Not part of a seam."""
        self._carrier.abort()

    def _raise_if_closed(self) -> None:
        if (closed := self._machine.closed) is not None:
            # A new one each time: raising the same again and again would grow its traceback.
            raise SessionClosed(closed.code, closed.reason, remote=closed.remote)

    # Its life.

    async def run(self, serve: Callable[[Any], Awaitable[None]] | None = None) -> None:
        """Carry the session to its end, with `serve` working on it; return when both are done."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            if serve is not None:
                tasks.create_task(self.served(serve))
            try:
                async with asyncio.timeout(None) as self._linger:
                    self._flush(self._loop.time())
                    await self._read()
            except TimeoutError:
                pass  # The peer did not let go within CLOSE_LINGER.
            finally:
                self._cut()

    async def served(self, serve: Callable[[Any], Awaitable[None]]) -> None:
        """Let `serve` work on it, and close it then."""
        code = CloseCode.GOING_AWAY
        try:
            await serve(self)
        except Exception as error:
            if not (isinstance(error, SessionClosed) and self.closed):
                code = CloseCode.INTERNAL
                log.exception("session.failed", session=str(self))
        self.close(code, "served" if code is CloseCode.GOING_AWAY else "internal error")

    async def _read(self) -> None:
        """Read until the transport ends. After the session's end, what comes is thrown away."""
        try:
            for number in count():
                via, data = await self._carrier.receive()
                await self._take(via, data)
                if number % TURN == TURN - 1:
                    await asyncio.sleep(0)  # A carrier with much to give does not wait by itself.
        except SessionClosed as end:
            self._machine.lost(end.code, end.reason)
        except RemoteProtocolError as error:
            self._machine.close(error.code, error.reason, self._loop.time())
            self._flush(self._loop.time())
            await self._discard()

    async def _discard(self) -> None:
        """Wait for the end of a transport whose input cannot be used any more."""
        while True:
            try:
                await self._carrier.receive()
            except RemoteProtocolError:
                continue
            except SessionClosed:
                return

    async def _take(self, via: Via, data: bytes) -> None:
        for piece in _slices(via, data):
            now = self._loop.time()
            # Asked before, not after: one piece can free many frames, as the late one does for
            # which all others waited, and only then the server has had its turn to take them.
            if not self._patient and len(self._inbox) > self._max_unread:
                self._machine.close(CloseCode.FLOODING, "too many unread frames", now)
            if items := self._machine.receive(via, piece, now):
                self._inbox += items
                _wake(self._reader)
            if items or self._machine.queued or self.closed:
                self._flush(now)
            if self._patient:
                await self._wait_for_room()
            elif len(self._inbox) > BREATHER:
                await asyncio.sleep(0)

    async def _wait_for_room(self) -> None:
        while len(self._inbox) >= self._max_unread and not self.closed:
            self._room = self._loop.create_future()
            await self._room

    # Outwards.

    def _flush(self, now: float) -> None:
        """Hand out what is due, arm the alarm, and see to the end when it has come."""
        if self._tasks is None:
            return
        # While datagrams wait for the carrier, later copies stay in the lane, so that two copies
        # of one frame cannot meet in one packet. A stream that waits does not hold up datagrams.
        if self._datagrams.task is None:
            for packet in self._machine.poll(now):
                datagram = packet.via is Via.DATAGRAM
                (self._datagrams if datagram else self._stream).put(packet.via, packet.data)
            self._alarm.arm(self._machine.next_timer())
        for outlet in (self._stream, self._datagrams):
            if outlet.waiting and outlet.task is None:
                outlet.task = self._tasks.create_task(self._write(outlet))
        if self.closed:
            self._end(self._tasks, now)

    async def _write(self, outlet: Outlet) -> None:
        try:
            for via, data in outlet.drain():
                await self._carrier.send(via, data)
                outlet.size -= len(data)
                self._progressed()
        except SessionClosed as end:
            self._machine.lost(end.code, end.reason)
        finally:
            outlet.task = None
        if outlet is self._datagrams or self.closed:
            self._flush(self._loop.time())

    def _progressed(self) -> None:
        """The carrier took something. For who waits for room."""

    # The end.

    def _end(self, tasks: asyncio.TaskGroup, now: float) -> None:
        """Wake who waits, bound what is left to do, and close the carrier once all is written."""
        closed = self._machine.closed
        assert closed is not None
        _wake(self._reader)
        _wake(self._room)
        if self._linger is not None and self._linger.when() is None:
            self._linger.reschedule(now + CLOSE_LINGER)
        if self._closing is None:
            if self._hurry is None:
                self._hurry = now + CLOSE_LINGER / 2
            drained = not (self._machine.queued or self._stream.task or self._datagrams.task)
            # A peer that said `close` reads no more: it need not be told the rest. One that does
            # not read at all may still hear the code, if the carrier has another way for it.
            if drained or closed.remote or now >= self._hurry:
                self._closing = tasks.create_task(self._close(closed))
            else:
                self._alarm.arm(self._hurry)

    async def _close(self, closed: SessionClosed) -> None:
        try:
            await self._carrier.close(closed.code, closed.reason)
        except SessionClosed:
            pass  # It went by itself meanwhile; the reading task sees that too.

    def _cut(self) -> None:
        """The transport is gone, or has to go."""
        self._machine.lost()
        self._tasks = None
        self._over = True
        self._alarm.close()
        self._carrier.abort()
        for task in (self._stream.task, self._datagrams.task, self._closing):
            if task is not None:
                task.cancel()
        # One that is cancelled before it ran does not say so itself, and would refer back to us.
        self._stream.task = self._datagrams.task = self._closing = None
        for future in (self._reader, self._room, self._gone):
            _wake(future)


def _slices(via: Via, data: bytes) -> Iterable[bytes]:
    if via is not Via.STREAM or len(data) <= SLICE:
        return (data,)
    return (data[at : at + SLICE] for at in range(0, len(data), SLICE))


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
