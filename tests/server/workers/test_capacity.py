"""An agent's capacity over several workers, without a Redis: the store process keeps the places."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.server.workers.fleet import MAIN, TCP, Fleet, person, started, until
from transport.client import Refusal
from transport.uuid7 import uuid7


def set_capacity(fleet: Fleet, capacity: int) -> str:
    """The agent's text id."""
    login = json.loads(fleet.ask("GET", "/v1/demo")[1])
    words = ["agent", "capacity", login["email"], str(capacity), "--data-dir", str(fleet.folder)]
    subprocess.run([sys.executable, "-c", MAIN, *words], check=True, stdout=subprocess.DEVNULL)
    body = {"email": login["email"], "password": login["password"]}
    told = json.loads(fleet.ask("POST", "/v1/agent/session", body)[1])
    agent: str = told["agent"]["id"]
    return agent


@pytest.mark.crash
async def test_no_more_than_the_capacity_whoever_dies(tmp_path: Path) -> None:
    with started(tmp_path, 2) as fleet:
        agent = await asyncio.to_thread(set_capacity, fleet, 3)
        token, visitor = fleet.agent(), fleet.visitor()
        async with AsyncExitStack() as stack:
            shopper = await stack.enter_async_context(person(fleet, visitor, TCP))
            agents = [await stack.enter_async_context(person(fleet, token, TCP)) for _ in range(8)]
            await until(lambda: len([n for n in fleet.sessions().values() if n]) == 2)
            chats = [uuid7() for _ in range(8)]
            for chat in chats:
                await shopper.say(chat, "hello")

            async def claim(n: int) -> str:
                try:
                    await agents[n].client.send(chats[n], "assignment", {"agent": agent})
                except Refusal as refusal:
                    return refusal.code
                return "accepted"

            told = Counter(await asyncio.gather(*(claim(n) for n in range(8))))
            assert told == {"accepted": 3, "at_capacity": 5}
            await asyncio.to_thread(fleet.kill, "store")
            told = Counter(await asyncio.gather(*(claim(n) for n in range(8))))
            # Again, under new ids: who has a place keeps it, and nobody else gets one.
            assert told == {"accepted": 3, "at_capacity": 5}
