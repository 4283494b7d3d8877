"""The worker for peers whose clients are in Python: `python -m bench.peers.worker PLAN`.

See base for what it says and hears.
May import: base, the table of peers.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from random import Random

import msgspec
import structlog
import uvloop

from bench.peers.base import Line, Plan, Reading, key, key_of, text
from bench.peers.table import peer

AT_ONCE = 8
"""Sessions that are being opened at a time."""
PROGRESS_EVERY = 0.5


class _Worker:
    """Many sessions of one side."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._peer = peer(plan.peer)
        self._random = Random(plan.seed)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._lines: dict[int, Line] = {}
        self._joined = asyncio.Event()
        self._greeted: set[int] = set()
        self._all_greeted = asyncio.Event()
        self._sent: dict[str, int] = {}
        self._received: dict[str, int] = {}

    async def run(self) -> None:
        words = await _words()
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(self._session(n)) for n in range(self._plan.sessions)]
            await self._joined.wait()
            _say("joined")
            await self._greet()
            _say("ready")
            await _wait_for(words, "go")
            gc.disable()  # A collection would be somebody's delay.
            jobs += [tasks.create_task(self._talk(n)) for n in range(self._plan.sessions)]
            jobs.append(tasks.create_task(self._report()))
            await _wait_for(words, "stop")
            for job in jobs:
                job.cancel()
        _say(Reading(self._sent, self._received))

    async def _greet(self) -> None:
        """Shoppers speak first; agents know then where to answer."""
        if self._plan.side == "shopper":
            for number, line in self._lines.items():
                line.send(text(key("shopper", number, 0), self._plan.size))
        else:
            await self._all_greeted.wait()

    async def _session(self, number: int) -> None:
        plan = self._plan
        await self._gate.acquire()
        async with self._peer.line(plan.site, plan.side, number) as line:
            self._gate.release()
            self._lines[number] = line
            if len(self._lines) == plan.sessions:
                self._joined.set()
            await self._listen(number, line)

    async def _listen(self, number: int, line: Line) -> None:
        own = self._plan.side[0]
        async for message in line.texts():
            now = time.monotonic_ns()
            found = key_of(message)
            if found.startswith(own):
                continue
            self._greeted.add(number)
            if len(self._greeted) == self._plan.sessions:
                self._all_greeted.set()
            if not found.endswith("-0"):  # No greeting.
                self._received.setdefault(found, now)

    async def _talk(self, number: int) -> None:
        """Numbers begin at 1; 0 was the greeting."""
        plan, line = self._plan, self._lines[number]
        mean = 1 / plan.rate
        await asyncio.sleep(self._random.uniform(0, mean))
        for message in range(1, plan.messages + 1):
            name = key(plan.side, number, message)
            body = text(name, plan.size)
            self._sent[name] = time.monotonic_ns()
            line.send(body)
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * mean)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            _say({"received": len(self._received)})


def _say(what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


async def _words() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _wait_for(words: asyncio.StreamReader, word: str) -> None:
    heard = (await words.readline()).decode().strip()
    if heard != word:
        raise SystemExit(f"expected {word!r}, heard {heard!r}")


def main() -> None:
    # What goes to stdout is read as words: logs must not.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    plan = msgspec.json.decode(Path(sys.argv[-1]).read_bytes(), type=Plan)
    uvloop.run(_Worker(plan).run())


if __name__ == "__main__":
    main()
