"""One child as the parent sees it, and its post: the place that is never empty for long.

What holds always: a child that ends without being told is replaced, after a pause that doubles from
FIRST_PAUSE to LONGEST_PAUSE seconds while children do not live STEADY seconds; a post that could
not be filled the first time says so and is given up; a child that does not leave in time is killed.
May import: channel.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import msgspec
import structlog

from server.workers.channel import SAID, Leave, Ready, Task, line

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STEADY = 10.0
LEAVING = 20.0
"""Seconds a child may take to leave beyond the patience it was told."""

log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """A child could not start. The message is the reason it gave."""


class Child:
    """A process and the channel to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, task: Task, descriptors: tuple[int, ...], *, leisurely: bool) -> Child:
        """Start one that inherits these descriptors, and give it its task. `leisurely`: others
        serve meanwhile, and it leaves them the processor."""
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            pace = ["leisurely"] if leisurely else []
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "server.workers.child", str(number), *pace),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(number, *descriptors),
                start_new_session=True,
            )
        child = cls(process, *await asyncio.open_connection(sock=ours))
        child._writer.write(line(task))
        return child

    def tell(self, leave: Leave) -> None:
        """Ask it to leave."""
        if not self._writer.is_closing():
            self._writer.write(line(leave))

    async def listen(self, ready: Callable[[Ready], None]) -> str:
        """Hear it out to its end; returns why it ended."""
        reason = ""
        try:
            async for said in self._reader:
                message = SAID.decode(said)
                if isinstance(message, Ready):
                    ready(message)
                else:
                    reason = message.reason
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            reason = f"it spoke nonsense: {error}"
            self.process.kill()
        code = await self.process.wait()
        self._writer.close()
        return reason or f"it ended with code {code}"


class Post:
    """A place for a child: `keep` fills it until `leave`."""

    def __init__(
        self,
        name: str,
        task: Task,
        descriptors: tuple[int, ...] = (),
        *,
        leisurely: bool = False,
    ) -> None:
        self.name = name
        self._leisurely = leisurely
        """Whether the first child may take its time. One that has to be replaced is missed."""
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        """The first child's word; StartFailed when there was none."""
        self._task = task
        self._descriptors = descriptors
        self._child: Child | None = None
        self._leave: Leave | None = None
        self._told = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process there now."""
        return None if self._child is None else self._child.process.pid

    async def keep(self) -> None:
        """Keep a child there."""
        clock, failures = asyncio.get_running_loop().time, 0
        try:
            while not self._told.is_set():
                began = clock()
                reason = await self._fill()
                if self._told.is_set():
                    return
                if not self.ready.done():
                    self.ready.set_exception(StartFailed(reason))
                    return
                failures = 0 if clock() - began > STEADY else failures + 1
                await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures), reason)
        finally:
            self._over.set()

    async def leave(self, leave: Leave) -> None:
        """Have the child leave, and wait until it has."""
        self._leave = leave
        self._told.set()
        if self._child is not None:
            self._child.tell(leave)
        try:
            async with asyncio.timeout(leave.patience + LEAVING):
                await self._over.wait()
        except TimeoutError:
            log.error("process.killed", name=self.name, reason="it did not leave in time")
            if self._child is not None:
                self._child.process.kill()
            await self._over.wait()

    async def _fill(self) -> str:
        try:
            pace, self._leisurely = self._leisurely, False
            child = self._child = await Child.start(self._task, self._descriptors, leisurely=pace)
        except OSError as error:
            return f"no process could be started: {error}"
        log.info("process.started", name=self.name, pid=child.process.pid)
        if self._leave is not None:
            child.tell(self._leave)
        try:
            return await child.listen(self._serves)
        except asyncio.CancelledError:
            child.process.kill()
            raise
        finally:
            self._child = None

    def _serves(self, ready: Ready) -> None:
        if not self.ready.done():
            self.ready.set_result(ready)
        log.info("process.ready", name=self.name)

    async def _pause(self, seconds: float, reason: str) -> None:
        log.error("process.died", name=self.name, reason=reason, next_in=seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            pass
