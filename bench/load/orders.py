"""What a load generator is told and what it answers: one line of JSON each, one answer per order.

May import: ledger.
"""

from __future__ import annotations

from msgspec import Struct

from bench.load.ledger import Verdict


class Setup(Struct, frozen=True, tag="setup"):
    """Once, first: where the server is, and which loopback addresses are this generator's."""

    address: str
    port: int
    http_port: int
    name: str
    first_source: int


class Open(Struct, frozen=True, tag="open"):
    """Open so many more sessions, `at_once` at a time."""

    quic: int
    websocket: int
    at_once: int = 32


class Chat(Struct, frozen=True, tag="chat"):
    """Open loop: so many messages a second in all, by the first `senders` sessions in turn, whether
    or not the server answers; then wait `patience` seconds for answers at most."""

    per_second: float
    seconds: float
    senders: int
    patience: float = 5.0


class Verify(Struct, frozen=True, tag="verify"):
    """Read the log of every conversation back and compare it with the ledgers."""


class Cycle(Struct, frozen=True, tag="cycle"):
    """So many times: connect, say one thing, wait until it is accepted, leave."""

    kind: str
    cycles: int
    at_once: int = 16
    visitors: int = 40


class Look(Struct, frozen=True, tag="look"):
    """Say how things are."""


class Leave(Struct, frozen=True, tag="leave"):
    """Close every session."""


Order = Setup | Open | Chat | Verify | Cycle | Look | Leave


class State(Struct, frozen=True, tag="state"):
    """How things are. `why` counts why sessions never came, or ended by themselves."""

    live: int
    why: dict[str, int] = {}


class Chatted(Struct, frozen=True, tag="chatted"):
    """How a chat went. `delays` are seconds from the send to the delivery at its author."""

    sent: int = 0
    delays: list[float] = []
    refusals: dict[str, int] = {}
    late: int = 0
    """Messages that were sent over 50 ms after their time, because the generator was too slow."""


class Verified(Struct, frozen=True, tag="verified"):
    """The verdict; `unread` conversations could not be read back."""

    verdict: Verdict
    unread: int = 0


class Cycled(Struct, frozen=True, tag="cycled"):
    """How many cycles were completed."""

    done: int
    why: dict[str, int] = {}


Answer = State | Chatted | Verified | Cycled
