"""Binding: the sockets one process listens on, UDP and TCP on one port number.

What holds always: UDP and TCP have the same port number, also when it is picked (port 0); a socket
that could not be bound with the others is closed.
May import: steering.
"""

from __future__ import annotations

import errno
import socket

from msgspec import Struct

from transport.quic.steering import Slot

PORT_TRIES = 20
"""How often a free port is picked for both UDP and TCP before giving up."""
LOOPBACK = "127.0.0.1"


class Sockets(Struct, frozen=True):
    """What one process listens on, and its place among those that share the port."""

    udp: socket.socket
    tcp: socket.socket
    loopback: socket.socket | None = None
    slot: Slot = Slot()

    def close(self) -> None:
        """Let go of them."""
        for sock in (self.udp, self.tcp, self.loopback):
            if sock is not None:
                sock.close()


def open_sockets(host: str | None, port: int, loopback_port: int | None) -> Sockets:
    """Bind them for a process that shares its port with nobody. Raises OSError."""
    udp, tcp = bind_both(host, port)
    try:
        loopback = None
        if loopback_port is not None:
            loopback = bind(socket.SOCK_STREAM, LOOPBACK, loopback_port)
        return Sockets(udp, tcp, loopback)
    except OSError:
        udp.close()
        tcp.close()
        raise


def bind_both(host: str | None, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port number; 0 picks one. Raises OSError."""
    for _ in range(PORT_TRIES):
        tcp = bind(socket.SOCK_STREAM, host, port)
        try:
            return bind(socket.SOCK_DGRAM, host, tcp.getsockname()[1], shared=True), tcp
        except OSError as error:
            tcp.close()
            if port or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "No port number is free for both UDP and TCP.")


def bind(
    kind: socket.SocketKind, host: str | None, port: int, *, shared: bool = False
) -> socket.socket:
    """A bound socket; `shared` lets others of the same user bind to the same port."""
    family, address = _address(host)
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host is None else 1)
        sock.setblocking(False)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _address(host: str | None) -> tuple[socket.AddressFamily, str]:
    if host is not None:
        info = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        return info[0], str(info[4][0])
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return socket.AF_INET, "0.0.0.0"
    return socket.AF_INET6, "::"
