"""The seam for work that any one worker must do: it is done at least once, by whoever is free.

A job has a kind, and a payload that only its handler understands.

Invariants, which tests/conformance/jobs_suite.py holds every implementation to:
- a job for which `put` returned is done at least once, as long as somebody serves its kind. It is
  as durable as the queue itself (the local one ends with its process, Redis's with a Redis that
  keeps nothing), so who may lose no job keeps what it is for in the store, and puts it again;
- while nobody dies, stalls or fails, a job is done once. Order is not promised;
- who serves a kind does up to `concurrency` jobs of it at once, each in at most `timeout` seconds;
- a job whose handler raised or took too long is tried again by anybody, not before `stalled`
  seconds; after `tries` times it is parked: kept aside with the reason, counted and logged;
- a job of somebody who died or stalled is begun by another once it has been idle for `stalled`
  seconds. If the first then goes on and finishes it, that does no harm;
- what waits is bounded by `most` jobs of a kind: over it `put` raises JobsFull. Of the parked the
  last MAX_PARKED are kept.
So a handler must bear being called twice for one job, even at the same time.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct

MAX_PARKED = 1_000
"""Parked jobs of a kind that are kept for people to look at."""

Handler = Callable[[bytes], Awaitable[None]]
"""Does a job, given its payload."""


class Terms(Struct, frozen=True):
    """How a queue is run. Everybody who shares it needs the same."""

    stalled: float = 30.0
    """Seconds after which a job that was begun and not finished is begun by another."""
    timeout: float = 20.0
    """Seconds for a handler; less than `stalled`, so that only what stalls is done twice."""
    tries: int = 5
    """How often a job is begun at most."""
    most: int = 10_000
    """Jobs of a kind that are not finished, at most."""
    concurrency: int = 8
    """Jobs of a kind that one server of it does at once."""


class Counts(Struct):
    """What happened here since the start."""

    begun: int = 0
    stolen: int = 0
    """Of those begun, the ones that another (or this one, earlier) had begun before."""
    failed: int = 0
    parked: int = 0
    refused: int = 0


class Parked(Struct, frozen=True):
    """A job that was given up."""

    payload: bytes
    reason: str


class JobsFull(Exception):
    """So many jobs of the kind wait that this one was not taken. Try again later."""


class JobsUnavailable(Exception):
    """The queue cannot be reached. Whether the job was taken is not known; it may be put again."""


class Jobs(Protocol):
    """A queue of jobs."""

    @property
    def counts(self) -> Counts:
        """For the metrics."""
        ...

    async def put(self, kind: str, payload: bytes) -> None:
        """Have it done. Raises JobsFull or JobsUnavailable."""
        ...

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        """Do jobs of these kinds until cancelled. What is cancelled with it, another does."""
        ...

    async def waiting(self, kind: str) -> int:
        """How many are not finished. Raises JobsUnavailable."""
        ...

    async def parked(self, kind: str) -> list[Parked]:
        """Those that were given up, the oldest first. Raises JobsUnavailable."""
        ...
