"""Address translation at the client's end, as a home router or a carrier does it.

What holds always: until the first `rebind` packets pass as they are; after it every (protocol,
address, port) inside has one outside, and what comes for an outside that is not in the table any
more is dropped, as a router that forgot a binding would.

Bound: PORTS outside ports; over it the oldest binding is forgotten.
May import: packet.
"""

from __future__ import annotations

from itertools import count

from bench.network import packet as ip

FIRST_PORT, PORTS = 20_000, 40_000


class Nat:
    """The table. `rebind` throws it away."""

    def __init__(self) -> None:
        self._address: bytes | None = None
        """What clients look like from outside; None: as they are."""
        self._fresh = count()
        self._outside: dict[bytes, tuple[bytes, bytes]] = {}
        """Inside → address and port outside."""
        self._inside: dict[bytes, tuple[bytes, bytes]] = {}
        """Outside → address and port inside."""

    def rebind(self, address: bytes) -> None:
        """Forget all bindings; from now on clients come from `address` and from new ports."""
        self._address = address
        self._outside.clear()
        self._inside.clear()

    def out(self, packet: bytes) -> bytes:
        """A packet on its way to the server."""
        if self._address is None or ip.protocol(packet) not in (ip.TCP, ip.UDP):
            return packet
        inside = ip.source(packet)
        if (found := self._outside.get(inside)) is None:
            found = self._bind(inside, self._address)
        return ip.with_source(packet, *found)

    def back(self, packet: bytes) -> bytes | None:
        """A packet on its way to a client; None: nobody is there any more."""
        if self._address is None or ip.protocol(packet) not in (ip.TCP, ip.UDP):
            return packet
        found = self._inside.get(ip.destination(packet))
        return None if found is None else ip.with_destination(packet, *found)

    def _bind(self, inside: bytes, address: bytes) -> tuple[bytes, bytes]:
        if len(self._outside) >= PORTS:
            oldest = next(iter(self._outside))
            gone = self._outside.pop(oldest)
            del self._inside[oldest[:1] + gone[0] + gone[1]]
        port = (FIRST_PORT + next(self._fresh) % PORTS).to_bytes(2, "big")
        self._outside[inside] = address, port
        self._inside[inside[:1] + address + port] = inside[1:5], inside[5:7]
        return address, port
