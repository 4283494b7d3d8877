"""What a client remembers of the servers it has met, so that it can speak before it is answered.

What holds always: a ticket is given out once, because servers take it once; expired ones never are;
at most MAX_SERVERS servers are kept, the one used longest ago goes first, and PER_SERVER tickets of
each, the newest are used first. With a `path` the same is kept in a file that only its owner can
read; one that cannot be read is as good as empty, one that cannot be written is done without.
May import: quic's dial for the form of an address.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import msgspec
from aioquic.tls import SessionTicket
from msgspec import Struct, field

MAX_SERVERS = 64
PER_SERVER = 4
MAX_FILE = 1_048_576
"""Bytes; a larger file is not one of ours."""


class Remembered(Struct, frozen=True):
    """A ticket, and the address (family, host, port) it came from: no name is looked up then."""

    ticket: SessionTicket
    address: tuple[int, str, int]


class _Server(Struct):
    tickets: list[Remembered] = field(default_factory=list)
    token: bytes = b""


class TicketCache:
    """Tickets and address tokens by server name and port."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._servers: OrderedDict[tuple[str, int], _Server] = OrderedDict()
        self._load()

    def put(self, host: str, port: int, remembered: Remembered) -> None:
        """Keep a ticket for the next connection."""
        tickets = self._server(host, port).tickets
        tickets.append(remembered)
        del tickets[:-PER_SERVER]
        self._save()

    def has(self, host: str, port: int) -> bool:
        """Whether there may be one to take."""
        server = self._servers.get((host, port))
        return server is not None and bool(server.tickets)

    def take(self, host: str, port: int) -> Remembered | None:
        """The newest ticket that is still good, for this one use."""
        server = self._servers.get((host, port))
        while server is not None and server.tickets:
            remembered = server.tickets.pop()
            if remembered.ticket.is_valid:
                self._save()
                return remembered
        return None

    def put_token(self, host: str, port: int, token: bytes) -> None:
        """Keep an address token."""
        self._server(host, port).token = token
        self._save()

    def token(self, host: str, port: int) -> bytes:
        """The address token to show; empty when there is none."""
        server = self._servers.get((host, port))
        return b"" if server is None else server.token

    def _server(self, host: str, port: int) -> _Server:
        server = self._servers.setdefault((host, port), _Server())
        self._servers.move_to_end((host, port))
        while len(self._servers) > MAX_SERVERS:
            self._servers.popitem(last=False)
        return server

    def _load(self) -> None:
        try:
            if self._path is None or self._path.stat().st_size > MAX_FILE:
                return
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError):
            return
        for host, port, server in kept.servers[-MAX_SERVERS:]:
            self._servers[host, port] = server

    def _save(self) -> None:
        if self._path is None:
            return
        kept = _File([(host, port, server) for (host, port), server in self._servers.items()])
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(msgspec.msgpack.encode(kept))
            new.replace(self._path)
        except OSError:
            new.unlink(missing_ok=True)


class _File(Struct):
    servers: list[tuple[str, int, _Server]]
