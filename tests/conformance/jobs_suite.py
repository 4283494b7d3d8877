"""What every Jobs must do. Subclass JobsSuite and give it a `make` fixture.

`make(terms)` gives a Jobs on a queue that all of one test's share, as several workers do.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from server.bus.jobs import Handler, Jobs, JobsFull, Terms

Make = Callable[[Terms], Jobs]
QUICK = Terms(stalled=0.3, timeout=0.2, tries=3, most=1_000, concurrency=4)
PATIENCE = 10


@asynccontextmanager
async def serving(jobs: Jobs, **handlers: Handler) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(jobs.serve(handlers))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def none_left(jobs: Jobs, kind: str = "work") -> None:
    async with asyncio.timeout(PATIENCE):
        while await jobs.waiting(kind):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)


class JobsSuite:
    async def test_each_is_done_once_by_whoever_is_free(self, make: Make) -> None:
        one, other = make(QUICK), make(QUICK)
        done: Counter[bytes] = Counter()

        async def work(payload: bytes) -> None:
            await asyncio.sleep(0)
            done[payload] += 1

        jobs = [b"\0\xff%d" % n for n in range(200)]
        async with serving(one, work=work), serving(other, work=work):
            for job in jobs:
                await one.put("work", job)
            await none_left(one)
        assert done == Counter(jobs)
        assert one.counts.failed == one.counts.stolen == one.counts.parked == 0

    async def test_what_was_put_before_anybody_served_is_done(self, make: Make) -> None:
        jobs = make(QUICK)
        done: list[bytes] = []

        async def work(payload: bytes) -> None:
            done.append(payload)

        await jobs.put("work", b"early")
        await jobs.put("other", b"not served")
        assert await jobs.waiting("work") == 1
        async with serving(jobs, work=work):
            await none_left(jobs)
        assert done == [b"early"]
        assert await jobs.waiting("other") == 1

    async def test_kinds_go_to_their_handlers(self, make: Make) -> None:
        jobs = make(QUICK)
        done: set[tuple[str, bytes]] = set()

        async def mail(payload: bytes) -> None:
            done.add(("mail", payload))

        async def scan(payload: bytes) -> None:
            done.add(("scan", payload))

        async with serving(jobs, mail=mail, scan=scan):
            await jobs.put("mail", b"1")
            await jobs.put("scan", b"2")
            await none_left(jobs, "mail")
            await none_left(jobs, "scan")
        assert done == {("mail", b"1"), ("scan", b"2")}

    async def test_so_many_at_once_and_not_more(self, make: Make) -> None:
        jobs = make(QUICK)
        busy = most = 0

        async def work(payload: bytes) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.02)
            busy -= 1

        for n in range(20):
            await jobs.put("work", b"%d" % n)
        async with serving(jobs, work=work):
            await none_left(jobs)
        assert most == QUICK.concurrency

    async def test_one_that_fails_is_tried_again(self, make: Make) -> None:
        jobs = make(QUICK)
        tried: Counter[bytes] = Counter()

        async def work(payload: bytes) -> None:
            tried[payload] += 1
            if payload == b"bad" and tried[payload] < 3:
                raise RuntimeError("broken on purpose")

        async with serving(jobs, work=work):
            await jobs.put("work", b"bad")
            await jobs.put("work", b"good")
            await none_left(jobs)
        assert tried == {b"bad": 3, b"good": 1}
        assert (jobs.counts.failed, jobs.counts.stolen, jobs.counts.parked) == (2, 2, 0)
        assert await jobs.parked("work") == []

    async def test_one_that_always_fails_is_parked(self, make: Make) -> None:
        jobs = make(QUICK)
        tried = 0

        async def work(payload: bytes) -> None:
            nonlocal tried
            tried += 1
            raise RuntimeError("broken on purpose")

        async with serving(jobs, work=work):
            await jobs.put("work", b"bad")
            await none_left(jobs)
            await asyncio.sleep(QUICK.stalled * 2)
        assert tried == QUICK.tries
        [parked] = await jobs.parked("work")
        assert parked.payload == b"bad"
        assert "broken on purpose" in parked.reason
        assert jobs.counts.parked == 1

    async def test_one_that_hangs_is_timed_out(self, make: Make) -> None:
        jobs = make(QUICK)
        ended: list[str] = []

        async def work(payload: bytes) -> None:
            if ended:
                return
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async with serving(jobs, work=work):
            await jobs.put("work", b"slow")
            await none_left(jobs)
        assert ended == ["cancelled"]
        assert jobs.counts.failed == 1

    async def test_what_is_cancelled_with_its_server_another_does(self, make: Make) -> None:
        one, other = make(QUICK), make(QUICK)
        begun = asyncio.Event()
        done: list[bytes] = []

        async def hangs(payload: bytes) -> None:
            begun.set()
            await asyncio.sleep(60)

        async def work(payload: bytes) -> None:
            done.append(payload)

        async with serving(one, work=hangs):
            await one.put("work", b"job")
            await begun.wait()
        assert await other.waiting("work") == 1
        async with serving(other, work=work):
            await none_left(other)
        assert done == [b"job"]
        assert other.counts.stolen == 1

    async def test_what_waits_is_bounded(self, make: Make) -> None:
        jobs = make(Terms(most=3))

        async def work(payload: bytes) -> None: ...

        for n in range(3):
            await jobs.put("work", b"%d" % n)
        with pytest.raises(JobsFull, match="try again later"):
            await jobs.put("work", b"3")
        await jobs.put("other", b"has room of its own")
        assert jobs.counts.refused == 1
        async with serving(jobs, work=work):
            await none_left(jobs)
        await jobs.put("work", b"3")
