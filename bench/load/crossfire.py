"""People who all speak in the same conversations, each with the client that ships: a process.

    python -m bench.load.crossfire    reads one order, a line of JSON, and obeys until told "stop"

Each visitor opens a conversation; agents, who see all of a shop, speak in all of them as well. So
every log is written by several sessions at once, on whatever workers these are.
What holds always: times are `time.monotonic_ns`; a message is sent once by us and then is the
client's, which answers for it over all its sessions; the logs are read back at the end.
May import: walk (settings, its input), ledger; transport's client.
"""

from __future__ import annotations

import asyncio
import sys
import time
from random import Random
from uuid import UUID

import msgspec
from msgspec import Struct

from bench.load.history import Sent
from bench.load.ledger import Row
from bench.load.walk import settings, words_of_stdin
from transport.client import Client, ClientStopped, Refusal
from transport.uuid7 import uuid7

GATHER = 8.0
"""Seconds after the last answer for the last deliveries: sessions that may have missed something
are asked to begin anew within four, and what a dead worker left is published after two."""
ANSWERS = 40.0
"""Seconds after "stop" for the answers; a message without one then counts as unanswered."""
PAGE = 100


class Crossfire(Struct, frozen=True):
    """Who speaks: tokens of visitors and agents' sessions; each says `rate` messages a second."""

    url: str
    visitors: list[str]
    agents: list[str]
    rate: float
    seed: int = 0


class Fought(Struct, frozen=True):
    """One conversation: what was sent to it, its log, and what each listener was delivered."""

    sends: list[Sent]
    log: list[Row]
    heard: list[list[Row]]


class Report(Struct, frozen=True):
    """All of it, and how often a client had to find a new session."""

    conversations: list[Fought]
    sessions: int


class _Field:
    """What has happened so far."""

    def __init__(self, order: Crossfire) -> None:
        self.order = order
        self.random = Random(order.seed)
        self.sends: dict[UUID, list[Sent]] = {}
        self.heard: dict[UUID, dict[int, list[Row]]] = {}
        self.sessions = 0
        self.stop = asyncio.Event()
        self.joined = asyncio.Semaphore(0)
        self.answered = asyncio.Barrier(len(order.visitors) + len(order.agents))
        """All have been answered: nothing is appended any more, and the logs can be read."""
        self.logs: dict[UUID, list[Row]] = {}

    def opened(self, conversation: UUID) -> None:
        self.sends[conversation] = []
        self.heard[conversation] = {}

    def came(self, listener: int, conversation: UUID, row: Row) -> None:
        if conversation in self.heard:
            self.heard[conversation].setdefault(listener, []).append(row)


async def fight(order: Crossfire, words: asyncio.StreamReader) -> Report:
    """See above."""
    field = _Field(order)
    async with asyncio.TaskGroup() as tasks:
        for number, token in enumerate((*order.visitors, *order.agents)):
            mine = uuid7() if number < len(order.visitors) else None
            if mine is not None:
                field.opened(mine)
            tasks.create_task(_person(field, number, token, mine))
        for _ in (*order.visitors, *order.agents):
            await field.joined.acquire()
        print("joined", flush=True)
        await words.readline()
        field.stop.set()
    return Report(
        [
            Fought(field.sends[id], field.logs[id], [*field.heard[id].values()])
            for id in field.sends
        ],
        field.sessions,
    )


async def _person(field: _Field, number: int, token: str, mine: UUID | None) -> None:
    """A visitor with a conversation, or (None) an agent with all of them."""

    async def again(_: bool) -> str:
        return token

    def connected(_: object) -> None:
        field.sessions += 1

    async with Client(settings(field.order.url), again, on_connected=connected) as client:
        hearing = asyncio.ensure_future(_hear(field, number, client))
        await client.ready()
        if mine is not None:
            await _one(field, number, client, mine)
        field.joined.release()
        await _say(field, number, client, mine)
        await field.answered.wait()
        # Over QUIC, who says nothing hears of a worker's death with the next heartbeat, after up to
        # 25 s: a question now finds a session that lives.
        await _read(client, mine or next(iter(field.sends)))
        await asyncio.sleep(GATHER)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        if mine is not None:
            field.logs[mine] = await _read(client, mine)


async def _say(field: _Field, number: int, client: Client, mine: UUID | None) -> None:
    pause, answers = 1 / field.order.rate, []
    while not field.stop.is_set():
        conversation = mine or field.random.choice([*field.sends])
        if mine is not None or field.sends[conversation]:
            answers.append(asyncio.ensure_future(_one(field, number, client, conversation)))
        try:
            await asyncio.wait_for(field.stop.wait(), field.random.uniform(0.5, 1.5) * pause)
        except TimeoutError:
            continue
    _, late = await asyncio.wait(answers, timeout=ANSWERS) if answers else (None, ())
    for answer in late:
        answer.cancel()
    await asyncio.gather(*answers, return_exceptions=True)


async def _one(field: _Field, number: int, client: Client, conversation: UUID) -> None:
    client_id, sent = uuid7(), time.monotonic_ns()
    place = len(field.sends[conversation])
    field.sends[conversation].append(Sent(number, client_id, sent))
    try:
        accepted = await client.send(
            conversation, "message", {"text": f"{number} {place}"}, client_id=client_id
        )
    except Refusal as refusal:
        field.sends[conversation][place] = Sent(number, client_id, sent, refused=refusal.code)
        return
    except ClientStopped:
        return
    field.sends[conversation][place] = Sent(
        number, client_id, sent, time.monotonic_ns(), accepted.seq
    )


async def _hear(field: _Field, number: int, client: Client) -> None:
    async for entry in client.entries():
        field.came(number, entry.conversation, Row(entry.seq, entry.client_id))


async def _read(client: Client, conversation: UUID) -> list[Row]:
    """The whole log."""
    rows: list[Row] = []
    after, more = 0, True
    while more:
        params = {"conversation": conversation, "after": after, "limit": PAGE}
        page = msgspec.msgpack.decode(await client.call("history", params))
        rows += [Row(entry[2], UUID(bytes=entry[4])) for entry in page["entries"]]
        after, more = rows[-1].seq if rows else 0, page["more"]
    return rows


async def main() -> None:
    """See above."""
    words = await words_of_stdin()
    order = msgspec.json.decode(await words.readline(), type=Crossfire)
    told = await fight(order, words)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    asyncio.run(main())
