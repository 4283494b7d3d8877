"""One accepted TCP connection, with TLS or without: bytes in and out, and an end that comes.

asyncio's transports, and uvloop's, put a TLS connection on top of memory buffers: some 10 KiB for
each in uvloop, 2 KiB in two `ssl.MemoryBIO`. OpenSSL on the socket itself needs neither, so a link
is a non-blocking socket, a callback of the loop, and nothing that waits (docs/performance.md).

What holds always:
- the owner is told of input by `received`, and of its end by `ended`, once, as soon as the peer
  closes or the connection breaks; after `close` or `abort` it is told nothing;
- `close` sends what was written, says goodbye, and waits for the peer's; `abort` does not. The
  socket is gone CLOSE_DEADLINE seconds after `close` at the latest;
- nothing here raises for what a peer or a network does.
Bounds: one read a turn of the loop, of at most a TLS record. What is written and not taken by the
kernel is the writer's to bound: `drained` waits while it is over HIGH_WATER.

May import: alarm.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from transport.alarm import Alarm

RECORD = 16_384
"""Bytes of a read: what fits in a TLS record (RFC 8446 section 5.1)."""
HIGH_WATER = 65_536
"""Bytes that wait for the kernel, over which a writer should wait."""
CLOSE_DEADLINE = 5.0
"""Seconds that what was written, and the goodbye, may take after `close`."""

_WANTS_READ = (BlockingIOError, InterruptedError, ssl.SSLWantReadError)
_WANTS_WRITE = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Owner(Protocol):
    """Whom a link tells what happens."""

    def received(self, data: bytes) -> None:
        """Input; never empty."""
        ...

    def ended(self) -> None:
        """No more input. Nothing is closed by that: what is written may still arrive."""
        ...


class Link:
    """A connection. `owner` may be changed at any time; `peer` is (address, port)."""

    __slots__ = (
        "_alarm",
        "_closing",
        "_drained",
        "_fd",
        "_gone",
        "_heard_end",
        "_loop",
        "_out",
        "_reading",
        "_shaking",
        "_shook",
        "_sock",
        "fault",
        "owner",
        "peer",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        peer: tuple[str, int],
        gone: Callable[[Link], None],
        shook: Callable[[], None] | None = None,
    ) -> None:
        """`sock` is connected and does not block; an SSLSocket has not shaken hands yet, and a
        client's begins to. `gone` is called when it is closed, `shook` when the handshake is over,
        one way or the other."""
        self.owner: Owner | None = None
        self.fault: Exception | None = None
        """What broke the connection, where the system or OpenSSL says it."""
        self.peer = peer
        self._loop = loop
        self._sock = sock
        self._gone = gone
        self._shook = shook
        self._fd = sock.fileno()
        self._shaking = isinstance(sock, ssl.SSLSocket)
        self._out: bytearray | None = None
        """What the kernel has not taken yet; None when it took all."""
        self._drained: asyncio.Future[None] | None = None
        """`drained`, waiting."""
        self._alarm: Alarm | None = None
        """Set by `close`."""
        self._closing = False
        self._heard_end = False
        self._reading = True
        loop.add_reader(self._fd, self._readable)
        if isinstance(sock, ssl.SSLSocket) and not sock.server_side:
            self._shake()

    # What is known of it.

    @property
    def tls(self) -> bool:
        """Whether it is encrypted."""
        return isinstance(self._sock, ssl.SSLSocket)

    @property
    def greeted(self) -> bool:
        """Whether there is no TLS handshake to wait for."""
        return not self._shaking

    @property
    def alpn(self) -> str | None:
        """What ALPN chose, once the handshake is done."""
        return (
            self._sock.selected_alpn_protocol() if isinstance(self._sock, ssl.SSLSocket) else None
        )

    @property
    def local(self) -> tuple[str, int]:
        """Our own (address, port)."""
        address = self._sock.getsockname() if self._fd >= 0 else ("", 0)
        return str(address[0]), int(address[1])

    @property
    def open(self) -> bool:
        """Whether what is written may still arrive."""
        return not self._closing and self._fd >= 0

    # Inwards.

    def pause(self) -> None:
        """Read no more until `resume`: the kernel's buffer fills, and then the peer waits."""
        if self._reading and self.open:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """Read again."""
        if not self._reading and self.open and not self._heard_end:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        if self._shaking:
            self._shake()
            return
        try:
            data = self._sock.recv(RECORD)
        except _WANTS_READ:
            return
        except OSError as error:
            # SSLWantWriteError among them: a client that wants our keys changed and reads nothing.
            self.fault = error
            self._lost()
            return
        if not data:
            self._end()
        elif self.owner is not None and not self._closing:
            self.owner.received(data)

    def _shake(self) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        self._loop.remove_writer(self._fd)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._fd, self._shake)
            return
        except ssl.SSLError as error:
            self._shaking, self.fault = False, error
            self.close()  # It should still read which alert it got.
        except (OSError, ValueError) as error:
            self.fault = error
            self._lost()
        else:
            self._shaking = False
        if self._shook is not None:
            self._shook()

    def _end(self) -> None:
        """The peer says no more."""
        self._heard_end = True
        self._loop.remove_reader(self._fd)
        self._reading = False
        # While it closes, what was written is still sent: the peer may have half-closed.
        if self.owner is not None and not self._closing:
            self.owner.ended()

    # Outwards.

    def write(self, data: bytes) -> None:
        """Send, or keep for when the kernel takes it. After the end: drop."""
        if not self.open:
            return
        if self._out is not None:
            self._out += data
            return
        sent = self._send(data)
        if sent is not None and sent < len(data):
            self._out = bytearray(memoryview(data)[sent:])
            self._loop.add_writer(self._fd, self._writable)

    @property
    def waiting(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return 0 if self._out is None else len(self._out)

    async def drained(self) -> None:
        """Wait while more than HIGH_WATER waits for the kernel. One may wait at a time."""
        while self.waiting > HIGH_WATER:
            self._drained = self._loop.create_future()
            await self._drained

    def _send(self, data: bytes | bytearray) -> int | None:
        """How much the kernel took; None when the connection broke."""
        total, view = 0, memoryview(data)
        try:
            # OpenSSL takes a piece whole, or wants the same, or a longer one, once more.
            while total < len(data):
                total += self._sock.send(view[total : total + RECORD])
        except _WANTS_WRITE:
            pass
        except OSError:
            # The owner is in the middle of something; it hears of this in a turn of its own.
            self._loop.call_soon(self._lost)
            return None
        finally:
            view.release()
        return total

    def _writable(self) -> None:
        assert self._out is not None
        sent = self._send(self._out)
        if sent is None:
            return
        del self._out[:sent]
        if not self._out:
            self._out = None
            self._loop.remove_writer(self._fd)
            if self._closing:
                self._say_goodbye()
        if self.waiting <= HIGH_WATER // 2:
            self._wake()

    # The end.

    def close(self) -> None:
        """Send what was written, and end."""
        if not self.open:
            return
        self._closing = True
        self._alarm = Alarm(self._loop, lambda _: self._leave())
        self._alarm.arm(self._loop.time() + CLOSE_DEADLINE)
        if self._out is None:
            self._say_goodbye()

    def abort(self) -> None:
        """Cut it now."""
        self._closing = True
        self._leave()

    def _say_goodbye(self) -> None:
        """Let the peer read to the end: closing a socket with input unread would destroy what is
        on its way (RFC 9112 section 9.6)."""
        if self._heard_end or self._shaking:
            self._leave()
            return
        if isinstance(self._sock, ssl.SSLSocket):
            # It wants to read the peer's goodbye, which nobody needs.
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._leave()
            return
        self._loop.add_reader(self._fd, self._discard)

    def _discard(self) -> None:
        """What comes after the goodbye, encrypted or not."""
        try:
            if socket.socket.recv(self._sock, RECORD):
                return
        except _WANTS_READ:
            return
        except OSError:
            pass
        self._leave()

    def _lost(self) -> None:
        """The connection broke."""
        owner, told = self.owner, self._heard_end or self._closing
        self._heard_end = True
        self._leave()
        if owner is not None and not told:
            owner.ended()

    def _leave(self) -> None:
        """Give the socket back."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._sock.close()
        self._fd = -1
        self._out = None
        if self._alarm is not None:
            self._alarm.cancel()
        self._wake()
        self._gone(self)
        self.owner = self._alarm = None

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
