"""Word from the operating system that addresses, links or routes have changed (Linux).

    leave = watch(loop, told)       told() is called soon after something changed, until leave()

A client that is told at once need not find out by silence. Nobody says what changed: that is looked
up where it matters, by `source_towards`, which asks the kernel without sending anything.

What holds always: one socket per event loop, there while somebody watches; however much changes,
`told` is called at most once in PAUSE seconds, and once after the last change; where the system has
no such socket, nobody is ever told, and silence tells, as before.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

PAUSE = 0.03
"""Seconds between two calls at least: an address is added, a route replaced, an address removed,
and a routing daemon may do so a hundred times a second."""
BATCH = 64
"""Messages read in one turn of the loop."""
MESSAGE = 65_536

# linux/rtnetlink.h; Python names neither these nor the protocol.
NETLINK_ROUTE = 0
GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""Links, IPv4 addresses and routes, IPv6 addresses and routes."""

Told = Callable[[], None]


def watch(loop: asyncio.AbstractEventLoop, told: Told) -> Callable[[], None]:
    """Call `told` when something has changed; what is returned ends that, called once or twice."""
    watcher = _watchers.get(loop)
    if watcher is None:
        try:
            watcher = _watchers[loop] = _Watcher(loop)
        except (OSError, AttributeError):  # Another system, or a sandbox.
            return lambda: None
    watcher.all.append(told)
    return lambda: watcher.leave(told)


def source_towards(family: socket.AddressFamily, target: Any) -> str | None:
    """Our address as the way to `target` has it now; None when there is no way."""
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(target)
            return str(asking.getsockname()[0])
        except OSError:
            return None


class _Watcher:
    """The socket of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.all: list[Told] = []
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._more = False
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_ROUTE)
        try:
            self._socket.bind((0, GROUPS))
            loop.add_reader(self._socket.fileno(), self._readable)
        except BaseException:
            self._socket.close()
            raise

    def leave(self, told: Told) -> None:
        """Tell this one no more. The last one takes the socket with it."""
        if told not in self.all:
            return
        self.all.remove(told)
        if not self.all:
            del _watchers[self._loop]
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            if self._timer is not None:
                self._timer.cancel()

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                self._socket.recv(MESSAGE)
            except BlockingIOError:
                break
            except OSError:
                continue  # More came than the kernel keeps: something has changed, no doubt.
        if self._timer is None:
            self._tell()
        else:
            self._more = True

    def _tell(self) -> None:
        self._more = False
        self._timer = self._loop.call_later(PAUSE, self._paused)
        for told in list(self.all):
            told()

    def _paused(self) -> None:
        self._timer = None
        if self._more:
            self._tell()


_watchers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watcher] = WeakKeyDictionary()
