"""The sockets of one port that several worker processes share.

The parent holds them all for as long as it lives, so the port never closes: what arrives for a
worker that has died waits in its socket for the next one in the same slot. Each worker gets a UDP
socket of its own, chosen by the packet (quic/steering.py), and TCP listeners of its own, chosen by
the kernel. The two banks share the TCP listeners: a connection belongs to whoever accepted it, so
an older generation has only to stop accepting.

What holds always: the port is refused when somebody else has it, although the sockets could share
it; sockets keep their number in the group, because none is closed before all are.
May import: sockets, steering, tcp's backlog.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from msgspec import Struct

from transport.quic import steering
from transport.quic.steering import BANKS, Slot
from transport.sockets import LOOPBACK, Sockets, bind, bind_both
from transport.tcp.listener import BACKLOG


class Descriptors(Struct, frozen=True):
    """The sockets of one slot as another process inherits them."""

    udp: int
    tcp: int
    loopback: int | None

    def all(self) -> tuple[int, ...]:
        """Every number."""
        numbers = (self.udp, self.tcp, self.loopback)
        return tuple(number for number in numbers if number is not None)


class Group:
    """The sockets of `workers` workers, twice over: one bank for each of two generations."""

    def __init__(
        self, host: str | None, port: int, loopback_port: int | None, workers: int
    ) -> None:
        self.workers = workers
        self._stack = ExitStack()
        try:
            self._open(host, port, loopback_port)
            self.steer(0, draining=False)
        except BaseException:
            self.close()
            raise

    def _open(self, host: str | None, port: int, loopback_port: int | None) -> None:
        self.port = _free(host, port)
        kind = socket.SOCK_DGRAM
        self._udp = [self._bind(kind, host, self.port) for _ in range(BANKS * self.workers)]
        self._tcp = self._listeners(host, self.port)
        self._loopback: list[socket.socket] = []
        self.loopback_port = loopback_port
        if loopback_port is not None:
            with bind(socket.SOCK_STREAM, LOOPBACK, loopback_port) as probe:
                self.loopback_port = int(probe.getsockname()[1])
            self._loopback = self._listeners(LOOPBACK, self.loopback_port)

    def steer(self, current: int, *, draining: bool) -> None:
        """New connections go to the bank `current`; the other's own reach it while it drains."""
        code = steering.program(self.workers, current, draining=draining)
        steering.attach(self._udp[0], code)

    def of(self, slot: Slot) -> Descriptors:
        """What the worker in this slot gets."""
        return Descriptors(
            self._udp[slot.socket].fileno(),
            self._tcp[slot.index].fileno(),
            self._loopback[slot.index].fileno() if self._loopback else None,
        )

    def close(self) -> None:
        """Let go of the port."""
        self._stack.close()

    def _listeners(self, host: str | None, port: int) -> list[socket.socket]:
        listeners = [self._bind(socket.SOCK_STREAM, host, port) for _ in range(self.workers)]
        for listener in listeners:
            listener.listen(BACKLOG)
        return listeners

    def _bind(self, kind: socket.SocketKind, host: str | None, port: int) -> socket.socket:
        return self._stack.enter_context(bind(kind, host, port, shared=True))


def adopt(slot: Slot, inherited: Descriptors) -> Sockets:
    """In the worker: the sockets out of their numbers."""
    loopback = inherited.loopback
    return Sockets(
        socket.socket(fileno=inherited.udp),
        socket.socket(fileno=inherited.tcp),
        None if loopback is None else socket.socket(fileno=loopback),
        slot,
    )


def _free(host: str | None, port: int) -> int:
    """The port, or one that is free when it is 0. Raises OSError when it is taken."""
    udp, tcp = bind_both(host, port)
    with udp, tcp:
        port = int(tcp.getsockname()[1])
    with bind(socket.SOCK_DGRAM, host, port):
        return port
