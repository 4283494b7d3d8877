"""The socket of one client connection, and the next one when the client has moved.

A QUIC connection is known by its connection IDs, not by an address (RFC 9000 section 9). So a
client whose network changed, or whose NAT forgot it, takes a new socket, a connection ID that
nobody has seen on the old path, and goes on, as soon as the system says that its address has
changed. While nothing is heard and nobody says why, a fresh socket is tried beside the present one,
and where something is heard first, there it stays.

What holds always: every packet that comes on any of its sockets is for the one connection; a socket
that was left is read for LINGER seconds, because answers are still on their way to it; a packet
that the kernel does not take is lost, like one that the network loses.
May import: peer, roaming, surroundings.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from transport.quic.peer import Peer, clock
from transport.quic.roaming import Keeper, Roaming
from transport.quic.surroundings import source_towards, watch

CHANCE = 4.0
"""Seconds for which a fresh socket is tried before the next; as often as the server has given us
connection IDs for, which is six times."""
LINGER = 3.0
"""Seconds for which a socket that was left is still read."""
BATCH = 64
"""Packets read from a socket in one turn of the loop."""
MAX_PACKET = 65_536
SOCKET_BUFFER = 1_048_576
"""Bytes of receive buffer asked of the kernel; it may give less."""


class Way(Struct, eq=False):
    """A socket, and the connection ID that packets from it carry while it is not in use."""

    socket: socket.socket
    name: Any = None
    since: float = 0.0


class Dialler:
    """Carries the packets of one client connection."""

    def __init__(self, family: socket.AddressFamily, roaming: Roaming) -> None:
        self._loop = asyncio.get_running_loop()
        self._family = family
        self._roaming = roaming
        self._peer: Peer | None = None
        self._keeper: Keeper | None = None
        self._sockets: list[socket.socket] = []
        """All that are read."""
        self._home = self._present = Way(self._open(None))
        self._fresh: Way | None = None
        """Tried beside the other while nothing is heard."""
        self._source: str | None = None
        """Our address, as the way to the server has it."""
        self._cut_off = False
        self._unwatch: Callable[[], None] | None = None
        self.moves = 0

    def carry(self, peer: Peer) -> None:
        """Whose packets these are."""
        self._peer = peer
        self._keeper = Keeper(peer, self, self._roaming)
        peer.sent = self._keeper.sent
        if self._roaming.probe_every is not None:
            self._unwatch = watch(self._loop, self._changed)

    @property
    def local(self) -> Any:
        """The address of the present socket."""
        return self._present.socket.getsockname()

    def move(self, local: tuple[str, int] | None = None) -> None:
        """Go on from a new socket, bound to `local` if that is given. Raises OSError when there is
        no such address; then nothing has changed."""
        peer = self._peer
        if peer is None or peer.gone or not peer.quic.handshake_complete:
            return
        way = Way(self._open(local))
        self._settle(self._home)
        self._leave(self._home)
        self._home = self._present = way
        self.moves += 1
        peer.quic.announce_move(clock())
        peer.flush()
        if self._keeper is not None:
            self._keeper.moved()

    # For the keeper.

    def try_fresh(self) -> bool:
        """Send from a fresh socket for now, if there is one to be had. Says which it is."""
        self._renew(clock())
        if self._fresh is None:
            return self.return_home()
        self._switch(self._fresh)
        return True

    def return_home(self) -> bool:
        """Send from the present one again: False."""
        self._switch(self._home)
        return False

    def _renew(self, now: float) -> None:
        """A fresh socket, with an ID of its own, where there is none or it had its chance."""
        if self._peer is None or (self._fresh and now - self._fresh.since < CHANCE):
            return
        name = self._peer.quic.another_name()
        if name is None:
            return
        self._settle(self._home)
        try:
            self._fresh = Way(self._open(None), name, now)
        except OSError:
            self._peer.quic.give_up(name)

    def _switch(self, way: Way) -> None:
        if way is not self._present and self._peer is not None:
            self._present.name = self._peer.quic.go_by(way.name)
            self._present = way

    def _settle(self, way: Way) -> None:
        """Of the home and the fresh one this is kept."""
        if self._fresh is None or self._peer is None:
            return
        self._switch(way)
        other = self._home if way is self._fresh else self._fresh
        self._peer.quic.give_up(other.name)
        self._leave(other)
        self._home, self._fresh = way, None

    def _leave(self, way: Way) -> None:
        self._loop.call_later(LINGER, self._forget, way.socket)

    def send(self, data: bytes, address: Any) -> None:
        """For the peer."""
        if self._source is None and self._unwatch is not None:
            self._source = source_towards(self._family, address)
        if self._sockets:
            try:
                self._present.socket.sendto(data, address)
            except OSError:
                pass  # full, or no way there just now: it is sent again, or we move

    def _open(self, local: tuple[str, int] | None) -> socket.socket:
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
        return sock

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, address = sock.recvfrom(MAX_PACKET)
            except BlockingIOError:
                return
            except OSError:
                continue  # an earlier packet was refused; the timers deal with it
            peer = self._peer
            if peer is None or peer.gone:
                return
            peer.receive(data, address)
            self._heard(peer, sock)

    def _heard(self, peer: Peer, sock: socket.socket) -> None:
        """Something came on this socket: if two were tried and it was for us, it is the one."""
        tried = () if self._fresh is None else (self._home, self._fresh)
        for way in tried:
            if way.socket is sock and peer.quic.asked_at is None:
                self.moves += way is self._fresh
                self._settle(way)
                peer.quic.probe(clock())  # the server is to answer here, and not there
        if self._keeper is not None:
            self._keeper.heard(clock(), here=sock is self._present.socket)

    def _changed(self) -> None:
        """The system's addresses or routes have changed; perhaps ours has."""
        peer = self._peer
        address = None if peer is None or peer.gone else peer.quic.get_peer_address()
        if address is None or self._keeper is None:
            return
        source = source_towards(self._family, address)
        if source is None:
            self._cut_off = True
            return
        known, self._source = self._source, source
        back, self._cut_off = self._cut_off, False
        if source != known:
            try:
                self.move()
            except OSError:
                pass  # no socket to be had now; silence will tell
        elif back:
            self._keeper.back()

    def _forget(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            self._sockets.remove(sock)
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def close(self) -> None:
        """Let go of every socket."""
        if self._keeper is not None:
            self._keeper.stop()
        if self._unwatch is not None:
            self._unwatch()
        self._keeper = self._unwatch = None
        for sock in list(self._sockets):
            self._forget(sock)

    # Identities: one connection, nothing to route.

    def issued(self, peer: Peer, connection_id: bytes) -> None:
        pass

    def retired(self, peer: Peer, connection_id: bytes) -> None:
        pass

    def gone(self, peer: Peer) -> None:
        self.close()
