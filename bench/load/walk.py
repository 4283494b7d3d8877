"""Clients for the scenarios over an emulated network, each a process in one of its places.

    python -m bench.load.walk      reads one order, a line of JSON, and obeys

`Call` connects again and again, each time with a message that waits, and says when it was accepted.
`Speak` sends into conversations of its own, at a steady rate, until it is told "stop".
`Listen` takes what is delivered to the same visitor, until it is told "stop".

What holds always: they are the client that ships, `transport.client.Client`; times are
`time.monotonic_ns`, which all processes of a machine share.
May import: transport's client.
"""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from transport.client import Client, Connected, Settings, Trust
from transport.client.tickets import TicketCache
from transport.session import TransportKind
from transport.uuid7 import uuid7

TEXT = "x" * 120
GATHER = 2.0
"""Seconds after "stop" for the last answers and deliveries; a client may need that to resume."""
MAX_GATHER = 30.0
"""Seconds that a listener waits for what it is told is missing."""


class Call(Struct, frozen=True, tag="call"):
    """So many tries, `at_once` of them at a time, over the first transport that works. With
    `tickets` a first try, which does not count, fetches what the others may start early with."""

    url: str
    token: str
    transports: list[TransportKind]
    tries: int
    at_once: int
    tickets: bool = False


class Speak(Struct, frozen=True, tag="speak"):
    """So many sessions, each sending `rate` messages a second to a conversation of its own."""

    url: str
    token: str
    speakers: int
    rate: float


class Listen(Struct, frozen=True, tag="listen"):
    """One session over the transports of a client that is left as it ships."""

    url: str
    token: str


Order = Call | Speak | Listen


class Try(Struct, frozen=True):
    """Seconds from the wish to speak to `accepted`; on what, and whether it started early."""

    seconds: float
    transport: TransportKind
    early: bool


class Spoken(Struct, frozen=True):
    """One accepted message. `at`: when it was sent, in ns."""

    conversation: UUID
    client_id: UUID
    at: int


class Arrival(Struct, frozen=True):
    """One entry that was delivered, `at` in ns."""

    conversation: UUID
    client_id: UUID
    seq: int
    at: int


class Listened(Struct, frozen=True):
    """What a listener took, and on what sessions."""

    arrivals: list[Arrival]
    sessions: list[TransportKind]


def settings(url: str, **more: object) -> Settings:
    """As shipped, but for the certificate: the server is ours and its certificate of the day."""
    return msgspec.structs.replace(Settings(url=url, trust=Trust(insecure=True)), **more)


async def call(order: Call) -> list[Try]:
    """See `Call`."""
    cache, room = TicketCache(), asyncio.Semaphore(order.at_once)

    async def once(linger: float) -> Try:
        async with room:
            return await _try(order, cache if order.tickets else TicketCache(), linger)

    if not order.tickets:
        return list(await asyncio.gather(*(once(0.0) for _ in range(order.tries))))
    # A ticket is good once, and the session it opened brings the next: one after the other.
    await once(GATHER)
    return [await once(GATHER / 2) for _ in range(order.tries)]


async def _try(order: Call, cache: TicketCache, linger: float) -> Try:
    async def token(again: bool) -> str:
        return order.token

    came: list[Connected] = []
    started = time.monotonic()
    known = settings(order.url, transports=tuple(order.transports), tickets=cache)
    async with Client(known, token, on_connected=came.append) as client:
        await client.send(uuid7(), "message", {"text": TEXT})
        seconds = time.monotonic() - started
        await client.ready()
        await asyncio.sleep(linger)
    return Try(seconds, came[0].transport, came[0].early)


async def speak(order: Speak, words: asyncio.StreamReader) -> list[Spoken]:
    """See `Speak`."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        speaking = [
            tasks.create_task(_speaker(order, number, stop)) for number in range(order.speakers)
        ]
        await words.readline()  # There is only one word for it: stop.
        stop.set()
    return [spoken for task in speaking for spoken in task.result()]


async def _speaker(order: Speak, number: int, stop: asyncio.Event) -> list[Spoken]:
    async def token(again: bool) -> str:
        return order.token

    conversation, at, answers = uuid7(), {}, []
    known = settings(order.url, transports=(TransportKind.WEBSOCKET_H1,))
    async with Client(known, token) as client:
        await client.ready()
        await asyncio.sleep(number / order.speakers / order.rate)
        if number == 0:
            print("joined", flush=True)
        while not stop.is_set():
            client_id = uuid7()
            at[client_id] = time.monotonic_ns()
            answers.append(client.send(conversation, "message", {"text": TEXT}, client_id))
            try:
                await asyncio.wait_for(stop.wait(), 1 / order.rate)
            except TimeoutError:
                continue
        accepted = await asyncio.gather(*answers)
    return [Spoken(conversation, a.client_id, at[a.client_id]) for a in accepted]


async def listen(order: Listen, words: asyncio.StreamReader) -> Listened:
    """See `Listen`."""

    async def token(again: bool) -> str:
        return order.token

    came: list[Connected] = []
    arrivals: list[Arrival] = []

    async def take(client: Client) -> None:
        async for entry in client.entries():
            row = Arrival(entry.conversation, entry.client_id, entry.seq, time.monotonic_ns())
            arrivals.append(row)

    async with Client(settings(order.url), token, on_connected=came.append) as client:
        taking = asyncio.ensure_future(take(client))
        await client.ready()
        print("joined", flush=True)
        await words.readline()
        await _quiet(arrivals)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    return Listened(arrivals, [connected.transport for connected in came])


async def words_of_stdin() -> asyncio.StreamReader:
    """What we are told, line by line. Our stdout is for answers from now on: logs go to stderr."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _quiet(arrivals: list[Arrival]) -> None:
    """Wait until nothing has come for a while."""
    end = time.monotonic() + MAX_GATHER
    count = -1
    while count != len(arrivals) and time.monotonic() < end:
        count = len(arrivals)
        await asyncio.sleep(GATHER)


async def main() -> None:
    """See above."""
    words = await words_of_stdin()
    order: Order = msgspec.json.decode(await words.readline(), type=Order)
    told: object
    if isinstance(order, Call):
        told = await call(order)
    elif isinstance(order, Speak):
        told = await speak(order, words)
    else:
        told = await listen(order, words)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    asyncio.run(main())
