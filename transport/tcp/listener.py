"""A listening TCP socket, and the connections that come out of it.

What holds always: an accepted socket does not block, sends small packets at once, and belongs to
whom it was handed to; a connection that is gone before it was taken is nobody's error.
Bounds: ACCEPT_BATCH connections a turn of the loop; BACKLOG wait in the kernel. Out of descriptors
or memory, nothing is accepted for ACCEPT_PAUSE seconds, and what comes waits there too.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import structlog

BACKLOG = 1_024
"""Connections the kernel holds for us between two turns of the loop."""
ACCEPT_BATCH = 32
"""Connections accepted in one turn of the loop."""
ACCEPT_PAUSE = 1.0
"""Seconds for others to give something back."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = structlog.get_logger("tradewind.tcp")

Taken = Callable[[socket.socket, tuple[str, int]], None]


class Listener:
    """Calls `taken` with each connection and its peer's address."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, taken: Taken) -> None:
        self._loop = loop
        self._sock = sock
        self._taken = taken
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._listen()

    def close(self) -> None:
        """Take no more. Processes that share the socket go on."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # That one left already (accept(2), "Error handling").
                log.error("tcp.exhausted", reason=str(error))
                self._loop.remove_reader(self._sock.fileno())
                self._pause = self._loop.call_later(ACCEPT_PAUSE, self._listen)
                return
            self._take(sock, address)

    def _take(self, sock: socket.socket, address: Any) -> None:
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()
        else:
            self._taken(sock, (str(address[0]), int(address[1])))
