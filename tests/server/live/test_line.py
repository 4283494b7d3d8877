import asyncio
from collections.abc import Awaitable, Callable

from server.live.line import Line


def step(done: list[int], n: int, gate: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await gate.wait()
        done.append(n)

    return work


async def test_work_keeps_its_order_and_its_bound() -> None:
    done: list[int] = []
    gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = Line(tasks, 3)
        assert line.put(step(done, 0, gate))
        await asyncio.sleep(0)  # It runs now, and waits no more.
        assert [line.put(step(done, n, gate)) for n in range(1, 6)] == [True] * 3 + [False] * 2
        gate.set()
    assert done == [0, 1, 2, 3]


async def test_stopping_finishes_what_runs_and_drops_the_rest() -> None:
    done: list[int] = []
    gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = Line(tasks, 3)
        line.put(step(done, 0, gate))
        line.put(step(done, 1, gate))
        await asyncio.sleep(0)
        line.stop()
        assert not line.put(step(done, 2, gate))
        gate.set()
    assert done == [0]


async def test_an_idle_line_has_no_task() -> None:
    gate, done = asyncio.Event(), []
    gate.set()
    async with asyncio.TaskGroup() as tasks:
        line = Line(tasks, 3)
        for n in range(3):
            line.put(step(done, n, gate))
            before = len(asyncio.all_tasks())
            await asyncio.sleep(0.01)
            assert len(asyncio.all_tasks()) == before - 1
    assert done == [0, 1, 2]
