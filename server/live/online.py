"""The seam for who is online: what the hub and the desk ask, whoever keeps it.

Invariants, which tests/conformance/online_suite.py holds every implementation to:
- a person is online while any worker says so, over the transport that was heard of last;
- coming and going is announced over the bus at once; nothing here ever waits for it;
- a worker that begins to follow a shop soon knows who is online there, agents first;
- who is online is told again every ANNOUNCE_EVERY seconds (`tell`, or over the bus), because
  clients hear it by datagram alone and forget it after FORGET_AFTER;
- the people of a worker that died go offline about FORGET_AFTER seconds later.

May import: bus, domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from server.bus.base import Asked, Seen
from server.domain.people import Caller

ANNOUNCE_EVERY = 20
"""Seconds between two announcements of somebody who is online."""
FORGET_AFTER = 50.0
"""Seconds after which somebody who is not announced any more is offline."""
TOGETHER = 100
"""People announced in one turn of the loop: about half a millisecond."""


class Counts(Struct, frozen=True):
    """How many people are online in a shop."""

    visitors: int
    agents: int


class Online(Protocol):
    """Who is online."""

    tell: Callable[[str, Seen], object]
    """Given by the hub: takes an announcement as if the bus had brought it, here alone."""

    def arrived(self, caller: Caller, transport: str) -> None:
        """A session of somebody began here."""
        ...

    def left(self, caller: Caller, transport: str) -> None:
        """A session of somebody ended here."""
        ...

    def heard(self, shop: str, seen: Seen) -> str | None:
        """Take an announcement; returns the transport over which the person is online, if any."""
        ...

    def ask(self, shop: str) -> None:
        """This worker follows the shop from now on: find out who is online there."""
        ...

    def asked(self, shop: str, by: Asked) -> None:
        """Another worker would know who is online here."""
        ...

    def transport(self, shop: str, who: str) -> str | None:
        """Over which transport this person is online, if they are."""
        ...

    def online(self, shop: str) -> Iterator[tuple[str, str]]:
        """Everybody who is online in the shop, with the transport. Take it before you wait."""
        ...

    def agents(self, shop: str) -> list[tuple[str, str]]:
        """The agents among them."""
        ...

    def counts(self, shop: str) -> Counts:
        """How many they are, in a shop that is followed here."""
        ...

    def forget(self, shop: str) -> None:
        """Nobody here listens to the shop any more."""
        ...

    async def run(self) -> None:
        """Repeat, and forget the silent, for ever."""
        ...
