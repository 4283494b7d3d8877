"""The jobs of one process: a queue in memory.

What holds always: what the seam promises; a job that was under way when its server was cancelled
is at once there for another. Whoever else stalls in this process stalls all of it, so only handlers
are watched, by their timeout.
May import: jobs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import structlog
from msgspec import Struct

from server.bus.jobs import MAX_PARKED, Counts, Handler, JobsFull, Parked, Terms

log = structlog.get_logger(__name__)


class _Job(Struct):
    """One job, and how often it was begun."""

    payload: bytes
    tries: int = 0


class _Kind:
    """The jobs of one kind."""

    def __init__(self) -> None:
        self.ready: asyncio.Queue[_Job] = asyncio.Queue()
        self.unfinished = 0
        self.parked: deque[Parked] = deque(maxlen=MAX_PARKED)


class LocalJobs:
    """A queue within one event loop."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.counts = Counts()
        self._terms = terms or Terms()
        self._kinds: dict[str, _Kind] = {}

    async def put(self, kind: str, payload: bytes) -> None:
        jobs = self._kind(kind)
        if jobs.unfinished >= self._terms.most:
            self.counts.refused += 1
            raise JobsFull(f"{jobs.unfinished} jobs of the kind {kind} wait; try again later")
        jobs.unfinished += 1
        jobs.ready.put_nowait(_Job(payload))

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for kind, handler in handlers.items():
                for _ in range(self._terms.concurrency):
                    tasks.create_task(self._serve(kind, handler))

    async def waiting(self, kind: str) -> int:
        return self._kind(kind).unfinished

    async def parked(self, kind: str) -> list[Parked]:
        return list(self._kind(kind).parked)

    def _kind(self, kind: str) -> _Kind:
        return self._kinds.setdefault(kind, _Kind())

    async def _serve(self, kind: str, handler: Handler) -> None:
        jobs = self._kind(kind)
        while True:
            job = await jobs.ready.get()
            try:
                await self._do(kind, handler, job)
            except asyncio.CancelledError:
                jobs.ready.put_nowait(job)
                raise

    async def _do(self, kind: str, handler: Handler, job: _Job) -> None:
        jobs = self._kind(kind)
        self.counts.begun += 1
        self.counts.stolen += job.tries > 0
        job.tries += 1
        try:
            async with asyncio.timeout(self._terms.timeout):
                await handler(job.payload)
        except Exception as error:
            self.counts.failed += 1
            log.warning("job.failed", kind=kind, tries=job.tries, reason=repr(error))
            if job.tries < self._terms.tries:
                later = asyncio.get_running_loop().call_later
                later(self._terms.stalled, jobs.ready.put_nowait, job)
                return
            self.counts.parked += 1
            log.error("job.parked", kind=kind, reason=repr(error))
            jobs.parked.append(Parked(job.payload, repr(error)))
        jobs.unfinished -= 1
