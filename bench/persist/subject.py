"""The process that owns a store and is measured: `python -m bench.persist.subject ORDER FILE`.

The store runs as in a server: on uvloop, each message a task that awaits `append`. ORDER is a Load
as JSON. How many are done is a line on standard output now and then; what came of it goes to FILE.
The bare file goes without loop and threads: what is due is written and synced, one after the other.

May import: arrivals, ticker's name; storage; options' errors.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from bench.persist.arrivals import Load, Told, Words
from storage.base import MessageLog, StoreBusy
from storage.open import open_storage

LEAD = 0.3
"""Seconds until the first message: the ticker is a Python process and has to start."""
TELL = 0.25
"""Seconds between two lines about how far it is."""
SWITCH = 0.0005
"""Seconds: what a server sets (server/threads.py)."""
ASKED = 1_000
"""Conversations whose heads are asked for at once."""

Clock = Callable[[], float]


class Lost(Exception):
    """The store does not hold what it accepted."""


async def measure(load: Load) -> Told:
    """Put a store under load. Raises Lost, StorageError."""
    storage = open_storage(load.url)
    try:
        run = _Run(load, storage.log)
        told = await run.run()
        await run.check()
    finally:
        await storage.close()
    return told


class _Run:
    """One store under one load."""

    def __init__(self, load: Load, log: MessageLog) -> None:
        self._load = load
        self._log = log
        self._words = Words(load)
        self._begin = 0.0
        self._sent = 0
        self._done = 0
        self._accepted = 0
        self._refused = 0
        self._delays: list[float] = []

    async def run(self) -> Told:
        """Every message, at its time."""
        loop = asyncio.get_running_loop()
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(SWITCH)
        self._begin, cpu = time.monotonic() + LEAD, time.process_time()
        with _ticking(self._begin, self._load) as ticker:
            assert ticker.stdout is not None
            knocks = ticker.stdout.fileno()
            os.set_blocking(knocks, False)
            async with asyncio.TaskGroup() as tasks:
                all_sent = asyncio.Event()
                loop.add_reader(knocks, self._knocked, knocks, tasks, all_sent)
                telling = tasks.create_task(self._tell())
                await all_sent.wait()
                loop.remove_reader(knocks)
                telling.cancel()
        counted_from = self._begin + self._load.at(self._load.uncounted)
        return Told(
            delays=sorted(self._delays),
            refused=self._refused,
            took=time.monotonic() - counted_from,
            cpu=time.process_time() - cpu,
        )

    def _knocked(self, knocks: int, tasks: asyncio.TaskGroup, all_sent: asyncio.Event) -> None:
        os.read(knocks, 65_536)
        due = self._load.due(time.monotonic() - self._begin)
        while self._sent < due:
            tasks.create_task(self._say(self._sent))
            self._sent += 1
        if self._sent == self._load.messages:
            all_sent.set()

    async def _say(self, number: int) -> None:
        draft = self._words.draft(number, int(time.time() * 1000))
        counted = number >= self._load.uncounted
        try:
            await self._log.append([draft])
        except StoreBusy:
            self._refused += counted
        else:
            self._accepted += 1
            if counted:
                due = self._begin + self._load.at(number)
                self._delays.append((time.monotonic() - due) * 1000)
        self._done += 1

    async def _tell(self) -> None:
        while True:
            print(self._done, flush=True)
            await asyncio.sleep(TELL)

    async def check(self) -> None:
        """The store holds as much as it accepted. Raises Lost."""
        stored = 0
        conversations = self._words.conversations
        for first in range(0, len(conversations), ASKED):
            heads = await self._log.heads(conversations[first : first + ASKED])
            stored += sum(head.seq for head in heads.values())
        if stored != self._accepted:
            raise Lost(f"{self._accepted} messages were accepted, and {stored} are stored")


def _ticking(begin: float, load: Load) -> subprocess.Popen[bytes]:
    order = [repr(begin), repr(load.rate), str(load.messages)]
    command = [sys.executable, "-m", "bench.persist.ticker", *order]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def bare(load: Load) -> Told:
    """Write and sync the same bytes to a file that grows, with nothing around it."""
    words, delays = Words(load), []
    file = os.open(load.url, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begin, sent, told, cpu = time.monotonic() + 0.01, 0, 0.0, time.process_time()
    while sent < load.messages:
        due = load.due((now := time.monotonic()) - begin)
        if due == sent:
            time.sleep(max(0.0, begin + load.at(sent) - now))
            continue
        os.write(file, b"".join(map(words.body, range(sent, due))))
        os.fdatasync(file)
        now = time.monotonic()
        first = max(sent, load.uncounted)
        delays += [(now - begin - load.at(number)) * 1000 for number in range(first, due)]
        sent = due
        if now > told + TELL:
            told = now
            print(sent, flush=True)
    os.close(file)
    took = now - begin - load.at(load.uncounted)
    cpu = time.process_time() - cpu
    return Told(delays=sorted(delays), refused=0, took=took, cpu=cpu)


def main(order: str, file: Path) -> None:
    """Measure, and leave what came of it in `file`."""
    load = msgspec.json.decode(order, type=Load)
    told = bare(load) if load.kind == "bare" else uvloop.run(measure(load))
    file.write_bytes(msgspec.msgpack.encode(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
