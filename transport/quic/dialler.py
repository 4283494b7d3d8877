"""The socket of one client connection, and the next one when the client has moved.

A QUIC connection is known by its connection IDs, not by an address (RFC 9000 section 9). So a
client whose network changed, or whose NAT forgot it, takes a new socket, a connection ID that
nobody has seen on the old path, and goes on. The kernel picks the local address anew with every
packet of a socket that is bound to none, so a changed route alone needs nothing of this.

What holds always: every packet that comes on any of its sockets is for the one connection; a socket
that was left is read for LINGER seconds, because answers are still on their way to it; a packet
that the kernel does not take is lost, like one that the network loses.
May import: aio, peer, roaming.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from transport.quic.peer import Peer, clock
from transport.quic.roaming import Keeper, Roaming

LINGER = 3.0
"""Seconds for which a socket that was left is still read."""
BATCH = 64
"""Packets read from a socket in one turn of the loop."""
MAX_PACKET = 65_536
SOCKET_BUFFER = 1_048_576
"""Bytes of receive buffer asked of the kernel; it may give less."""


class Dialler:
    """Carries the packets of one client connection."""

    def __init__(self, family: socket.AddressFamily, roaming: Roaming) -> None:
        self._loop = asyncio.get_running_loop()
        self._family = family
        self._roaming = roaming
        self._peer: Peer | None = None
        self._keeper: Keeper | None = None
        self._sockets: list[socket.socket] = []
        """The last one is the one to send with."""
        self.moves = 0
        self._open(None)

    def carry(self, peer: Peer) -> None:
        """Whose packets these are."""
        self._peer = peer
        self._keeper = Keeper(peer, self.move, self._roaming)
        peer.sent = self._keeper.sent

    @property
    def local(self) -> Any:
        """The address of the present socket."""
        return self._sockets[-1].getsockname()

    def move(self, local: tuple[str, int] | None = None) -> None:
        """Go on from a new socket, bound to `local` if that is given. Raises OSError when there is
        no such address; then nothing has changed."""
        peer = self._peer
        if peer is None or peer.gone or not peer.quic.handshake_complete:
            return
        self._open(local)
        old = self._sockets[-2]
        self._loop.call_later(LINGER, self._forget, old)
        self.moves += 1
        peer.quic.announce_move(clock())
        peer.flush()
        if self._keeper is not None:
            self._keeper.moved()

    def send(self, data: bytes, address: Any) -> None:
        """For the peer."""
        if self._sockets:
            try:
                self._sockets[-1].sendto(data, address)
            except OSError:
                pass  # full, or no way there just now: it is sent again, or we move

    def _open(self, local: tuple[str, int] | None) -> None:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
            if local is not None:
                sock.bind(local)
        except BaseException:
            sock.close()
            raise
        self._sockets.append(sock)
        self._loop.add_reader(sock.fileno(), self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, address = sock.recvfrom(MAX_PACKET)
            except BlockingIOError:
                return
            except OSError:
                continue  # an earlier packet was refused; the timers deal with it
            if self._peer is None or self._peer.gone:
                return
            self._peer.receive(data, address)
            if self._keeper is not None:
                self._keeper.heard(clock(), here=sock is self._sockets[-1])

    def _forget(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            self._sockets.remove(sock)
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def close(self) -> None:
        """Let go of every socket."""
        if self._keeper is not None:
            self._keeper.stop()
        for sock in list(self._sockets):
            self._forget(sock)

    # Identities: one connection, nothing to route.

    def issued(self, peer: Peer, connection_id: bytes) -> None:
        pass

    def retired(self, peer: Peer, connection_id: bytes) -> None:
        pass

    def gone(self, peer: Peer) -> None:
        self.close()
