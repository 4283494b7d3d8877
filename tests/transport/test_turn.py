"""Many flushes, one callback."""

from __future__ import annotations

import asyncio
from typing import Any

from transport.turn import Turn


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_many_share_one_callback_in_their_order() -> None:
    loop = asyncio.get_running_loop()
    turn = Turn(loop)
    done: list[int] = []
    calls = 0
    real = loop.call_soon

    def counting(callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        nonlocal calls
        calls += callback == turn._run
        return real(callback, *args, **kwargs)

    loop.call_soon = counting  # type: ignore[method-assign]
    for number in range(100):
        turn.at_end(lambda number=number: done.append(number))  # type: ignore[misc]
    await settle()
    assert done == list(range(100))
    assert calls == 1


async def test_one_later_comes_after_what_was_woken() -> None:
    loop = asyncio.get_running_loop()
    turn = Turn.of(loop)
    done: list[str] = []
    turn.one_later(lambda: done.append("reply"))
    loop.call_soon(done.append, "woken")
    turn.at_end(lambda: done.append("send"))
    await settle()
    assert done[-1] == "reply"
    assert sorted(done) == ["reply", "send", "woken"]


async def test_one_that_raises_stops_no_other() -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    turn = Turn.of(loop)
    done: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    turn.at_end(fail)
    turn.at_end(lambda: done.append("yes"))
    await settle()
    assert done == ["yes"]
    assert isinstance(complaints[0]["exception"], ValueError)


async def test_what_is_asked_for_meanwhile_waits_for_its_own_turn() -> None:
    turn = Turn.of(asyncio.get_running_loop())
    done: list[int] = []

    def again() -> None:
        done.append(len(done))
        if len(done) < 3:
            turn.at_end(again)

    turn.at_end(again)
    await asyncio.sleep(0)
    assert len(done) == 1
    await settle()
    assert done == [0, 1, 2]
