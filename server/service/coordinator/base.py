"""What the coordinator works with: a transaction, those who take part, and locks.

A participant is one of the places in which state changes. It may be another region behind a relay:
every command is awaited, may take long, and may never be answered.

May import: nothing above; storage's seams elsewhere.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from msgspec import Struct


class Transaction(Struct, frozen=True):
    """What shall happen. `payload` is for the participants of its `kind`, who alone read it."""

    id: UUID
    kind: str
    key: UUID
    """The conversation that it is about: one transaction of a key at a time."""
    payload: bytes


class No(Exception):
    """A participant will not do it. Nothing has changed there; the message says why."""


class Fenced(Exception):
    """The token is lower than one that this place has seen for the key: somebody took over."""


class LockBusy(Exception):
    """The lock was not free in time, or too many wait for it. Nothing was done."""


class LockUnavailable(Exception):
    """What keeps the locks cannot be reached. Nothing was done."""


class Participant(Protocol):
    """One of the places in which a transaction changes something.

    Invariants, by which machine.py stands:
    - every command may come again, in any state, and then does no more than the first time;
    - commands carry the fencing token of who sends them; one that is lower than the highest that
      this place has seen for the key raises Fenced and changes nothing, unless changing nothing is
      what it would do anyway;
    - who has prepared can commit: after a `prepare` that returned, `commit` fails for now only;
    - an `abort` may come without a `prepare` before it;
    - `commit` and `abort` keep out a `prepare` that comes after them with the same token or a lower
      one: an attempt has a token of its own, and this one is over.

    Any other exception than No and Fenced is silence: it may have been done, or not.
    """

    async def prepare(self, transaction: Transaction, token: int) -> None:
        """Promise. Raises No when it cannot be."""
        ...

    async def commit(self, transaction: Transaction, token: int) -> object:
        """Do what was promised; returns whatever the caller of the transaction needs of it."""
        ...

    async def abort(self, transaction: Transaction, token: int) -> None:
        """Take the promise back."""
        ...


class Lease(Struct, frozen=True):
    """A lock that is held for a while."""

    segment: int
    token: int
    """Higher than that of every lease of this segment before it."""
    owner: str


class Locks(Protocol):
    """SEGMENTS locks, each for all the keys that fall into it (see `segment` in locks.py).

    Invariants, which tests/conformance/locks_suite.py holds every implementation to:
    - a segment has one holder at a time, until it releases or its lease runs out;
    - the token of a lease is higher than that of every lease of the segment that was given before,
      also when whatever keeps the locks has lost its memory in between;
    - a lease that ran out, or was forgotten, cannot be renewed or released: both answer False and
      change nothing for the holder after it.

    A lease protects nothing by itself: its holder may be stopped and wake up after the end. The
    token does, because participants compare it.
    """

    async def acquire(self, segment: int, *, seconds: float) -> Lease | None:
        """Take the lock for so long; None when somebody has it. Raises LockUnavailable."""
        ...

    async def renew(self, lease: Lease, *, seconds: float) -> bool:
        """Hold it for so long from now, if it is still held."""
        ...

    async def release(self, lease: Lease) -> bool:
        """Let the next one in."""
        ...
