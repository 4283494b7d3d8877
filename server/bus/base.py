"""The seam for fan-out: what happened in a shop reaches every worker that serves it.

A topic is a shop. Events are frozen records, so an implementation may hand over the object itself
or its bytes.

Invariants, which tests/conformance/bus_suite.py holds every implementation to:
- `publish` never waits, and never raises because of who listens;
- a receiver gets each event that was published on its topic after `subscribe` returned, once, in
  the order of the `publish` calls, the publisher's own events included;
- `done` is called once the event is where everybody who listens will get it, or will be told that
  something was lost and look into the log; never for an event that was dropped, and perhaps never
  for one that was under way when a connection broke. One that raises is logged;
- a receiver that raises is logged and goes on receiving; nobody else notices;
- after `unsubscribe` a receiver is not called again;
- what waits to be delivered is bounded by MAX_WAITING events; over it `publish` drops the event
  and counts it in `dropped`. Clients heal by themselves: they see the gap in `seq` and fetch.

An implementation between processes may lose events when what carries them is lost. Then it calls
`on_gap`, after which sessions look into the logs; it may also hold entries back for a moment, to
put those of a conversation in their order (order.py), and drop one that was published twice.

May import: domain, the record Entry of storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from storage.base import Entry

MAX_WAITING = 10_000
"""Events an implementation holds at most before it has delivered them."""


class Appended(Struct, frozen=True, tag=True):
    """An entry was committed, in a conversation of `visitor`."""

    visitor: UUID
    entry: Entry


class Typed(Struct, frozen=True, tag=True):
    """`who` started or stopped typing."""

    visitor: UUID
    conversation: UUID
    who: str
    on: bool


class Reached(Struct, frozen=True, tag=True):
    """Everything up to `seq` has reached a device of `who`."""

    visitor: UUID
    conversation: UUID
    who: str
    seq: int


class Seen(Struct, frozen=True, tag=True):
    """What one worker, `source`, knows of a person: online over `transport`, or gone (None)."""

    source: UUID
    who: str
    transport: str | None


class Asked(Struct, frozen=True, tag=True):
    """The worker `source` has begun to follow the shop and would know who is online."""

    source: UUID


class Passed(Struct, frozen=True, tag=True):
    """Bytes from a part of one worker to its like in the others, on a topic that is no shop."""

    data: bytes


Event = Appended | Typed | Reached | Seen | Asked | Passed
Fleeting = Typed | Seen | Asked
"""Events that mislead when they come late: after an outage they are dropped."""
Receiver = Callable[[Event], None]
"""Must not block: it is called in the publisher's loop turn."""
Done = Callable[[], None]
"""Told that an event is out."""


class Bus(Protocol):
    """Fan-out by topic."""

    @property
    def dropped(self) -> int:
        """Events lost at MAX_WAITING since the start."""
        ...

    def publish(self, topic: str, event: Event, done: Done | None = None) -> None: ...
    async def subscribe(self, topic: str, receiver: Receiver) -> None: ...
    async def unsubscribe(self, topic: str, receiver: Receiver) -> None: ...
    async def close(self) -> None: ...
