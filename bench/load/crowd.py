"""Shoppers who chat, each with the client that ships: a process in one place of a network.

    python -m bench.load.crowd      reads one order, a line of JSON, and obeys until told "stop"

Each shopper says something at a steady rate, whether or not anything is answered, to a conversation
of their own, and hears it come back.
What holds always: times are `time.monotonic_ns`, which all processes of a machine share; every
message has been answered when it reports, or it does not report.
May import: walk (settings, its input); transport's client.
"""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import UUID

import msgspec
from msgspec import Struct

from bench.load.walk import TEXT, settings, words_of_stdin
from transport.client import Client, Connected
from transport.session import TransportKind
from transport.uuid7 import uuid7

GATHER = 3.0
"""Seconds after the last answer for the last deliveries."""


class Crowd(Struct, frozen=True):
    """One shopper for each token, each saying `rate` messages a second."""

    url: str
    tokens: list[str]
    rate: float


class Said(Struct, frozen=True):
    """One message: when it was sent, and when we heard that it was accepted, in ns."""

    client_id: UUID
    seq: int
    sent: int
    accepted: int


class Came(Struct, frozen=True):
    """One entry that was delivered."""

    client_id: UUID
    seq: int
    at: int


class Shopper(Struct, frozen=True):
    """What one of them said and heard, and on what sessions, in order."""

    said: list[Said]
    heard: list[Came]
    sessions: list[TransportKind]


async def chat(order: Crowd, words: asyncio.StreamReader) -> list[Shopper]:
    """See above."""
    stop, here = asyncio.Event(), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        shoppers = [
            tasks.create_task(_shopper(order, number, here, stop))
            for number in range(len(order.tokens))
        ]
        for _ in shoppers:
            await here.acquire()
        print("joined", flush=True)
        await words.readline()
        stop.set()
    return [shopper.result() for shopper in shoppers]


async def _shopper(
    order: Crowd, number: int, here: asyncio.Semaphore, stop: asyncio.Event
) -> Shopper:
    async def token(again: bool) -> str:
        return order.tokens[number]

    came: list[Connected] = []
    heard: list[Came] = []
    async with Client(settings(order.url), token, on_connected=came.append) as client:
        hearing = asyncio.ensure_future(_hear(client, heard))
        await client.ready()
        here.release()
        await asyncio.sleep(number / len(order.tokens) / order.rate)
        said = await _say(client, order.rate, stop)
        await asyncio.sleep(GATHER)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    return Shopper(said, heard, [connected.transport for connected in came])


async def _say(client: Client, rate: float, stop: asyncio.Event) -> list[Said]:
    conversation, answers = uuid7(), []
    while not stop.is_set():
        answers.append(asyncio.ensure_future(_one(client, conversation)))
        try:
            await asyncio.wait_for(stop.wait(), 1 / rate)
        except TimeoutError:
            continue
    return list(await asyncio.gather(*answers))


async def _one(client: Client, conversation: UUID) -> Said:
    sent = time.monotonic_ns()
    accepted = await client.send(conversation, "message", {"text": TEXT})
    return Said(accepted.client_id, accepted.seq, sent, time.monotonic_ns())


async def _hear(client: Client, heard: list[Came]) -> None:
    async for entry in client.entries():
        heard.append(Came(entry.client_id, entry.seq, time.monotonic_ns()))


async def main() -> None:
    """See above."""
    words = await words_of_stdin()
    order = msgspec.json.decode(await words.readline(), type=Crowd)
    told = await chat(order, words)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    asyncio.run(main())
