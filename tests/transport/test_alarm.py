"""Alarms share the loop with everything else."""

from __future__ import annotations

import asyncio
import time

from transport.alarm import SPELL, Alarm

MANY = 40


async def test_packets_get_their_turn_while_many_alarms_are_due() -> None:
    """One alarm takes longer than a spell, as a probe of a slow connection may: between any two of
    them the loop comes round to its sockets."""
    loop = asyncio.get_running_loop()
    rung: list[int] = []
    turns: list[int] = []
    alarms = []

    def ring(number: int) -> None:
        time.sleep(SPELL)
        rung.append(number)

    def turn() -> None:
        turns.append(len(rung))
        if len(rung) < MANY:
            loop.call_soon(turn)

    for number in range(MANY):
        alarm = Alarm(loop, lambda _, number=number: ring(number))  # type: ignore[misc]
        alarm.arm(loop.time())
        alarms.append(alarm)
    loop.call_soon(turn)
    async with asyncio.timeout(10):
        while len(rung) < MANY:  # noqa: ASYNC110 - every turn is looked at
            await asyncio.sleep(0)
    assert rung == list(range(MANY))
    assert set(turns) >= set(range(1, MANY)), "several rang in one turn"


async def test_one_that_is_closed_rings_no_more_and_keeps_nobody() -> None:
    loop = asyncio.get_running_loop()
    rung: list[float] = []
    alarm = Alarm(loop, rung.append)
    alarm.arm(loop.time())
    alarm.close()
    await asyncio.sleep(0.02)
    assert not rung
    assert not alarm.armed
