"""Whether a new connection may begin: how many there are, and how many from the same address.

    Initial ─▶ judge ─▶ ACCEPT   state is made
                    ├─▶ RETRY    prove your address first; no state is made
                    └─▶ REFUSE   ignored: the client tries again, or takes TCP

What holds always: without a proof of its address nobody can take the place of somebody else: above
a threshold, over all or for one address, only proven ones get in, and what is unproven never fills
the bounds of the proven. Addresses are counted by IPv4 address and by IPv6 /64, the least a
customer gets. There is an entry only for an address that has a connection now, so the table is as
bounded as the connections are. A connection that migrates stays with the address it began from.
May import: tokens (for the form of an address). No clock, no socket.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from msgspec import Struct

from transport.quic.tokens import packed


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one worker.

    `connections` in all, `handshakes` unfinished ones; above `retry_above` unfinished ones, or
    `retry_above_per_address` from one address, a Retry comes first. `handshakes_per_address` and
    `connections_per_address` are for those who proved it. `loopback_exempt`: connections from this
    machine itself (tests, a load generator, a proxy) count for the totals only.
    """

    connections: int = 100_000
    handshakes: int = 1_024
    retry_above: int = 256
    handshakes_per_address: int = 256
    retry_above_per_address: int = 64
    connections_per_address: int = 4_096
    loopback_exempt: bool = True


class Verdict(Enum):
    """What to do with an Initial that no connection is for."""

    ACCEPT = "accept"
    RETRY = "retry"
    REFUSE = "refuse"


class Place:
    """What one connection counts for: its address, and whether its handshake is done."""

    __slots__ = ("done", "key")

    def __init__(self, key: bytes | None) -> None:
        self.key = key
        self.done = False


class _Count:
    __slots__ = ("all", "half")

    def __init__(self) -> None:
        self.all = 0
        self.half = 0


_NOBODY = _Count()


class Admission:
    """Counts connections and judges new ones."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.total = 0
        self.half_open = 0
        self._addresses: dict[bytes, _Count] = {}

    @property
    def addresses(self) -> int:
        """Entries of the table."""
        return len(self._addresses)

    def judge(self, address: Any, *, proven: bool) -> Verdict:
        """Whether a connection from here may begin; `proven`: it showed a good token."""
        limits = self.limits
        key = self._key(address)
        here = _NOBODY if key is None else self._addresses.get(key, _NOBODY)
        if self.total >= limits.connections or here.all >= limits.connections_per_address:
            return Verdict.REFUSE
        if not proven and (
            self.half_open >= limits.retry_above or here.half >= limits.retry_above_per_address
        ):
            return Verdict.RETRY
        full = self.half_open >= limits.handshakes or here.half >= limits.handshakes_per_address
        return Verdict.REFUSE if full else Verdict.ACCEPT

    def begin(self, address: Any) -> Place:
        """A handshake began; keep the place until `end`."""
        place = Place(self._key(address))
        self.total += 1
        self.half_open += 1
        if place.key is not None:
            count = self._addresses.setdefault(place.key, _Count())
            count.all += 1
            count.half += 1
        return place

    def complete(self, place: Place) -> None:
        """Its handshake is done."""
        if not place.done:
            place.done = True
            self.half_open -= 1
            if place.key is not None:
                self._addresses[place.key].half -= 1

    def end(self, place: Place) -> None:
        """Nothing is left of it. Called once."""
        self.complete(place)
        self.total -= 1
        if place.key is not None:
            count = self._addresses[place.key]
            count.all -= 1
            if not count.all:
                del self._addresses[place.key]

    def _key(self, address: Any) -> bytes | None:
        ip = packed(address)
        if (
            self.limits.loopback_exempt
            and (ip[:1] == b"\x7f" or ip == _LOOPBACK_6)
            and (len(ip) == 4 or ip == _LOOPBACK_6)
        ):
            return None
        return ip if len(ip) == 4 else ip[:8]


_LOOPBACK_6 = bytes(15) + b"\x01"
