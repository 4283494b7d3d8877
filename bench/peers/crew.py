"""A worker's process, seen from the scenario: told what to do, read, and ended.

What holds always: after the block the process is gone; when it ends too early, the next call says
what it wrote before.
May import: network, base, process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bench.network import Place
from bench.peers.base import PeerError, Plan, Reading
from bench.peers.process import stop, tail

PATIENCE = 90.0
"""Seconds for a word: twenty handshakes over bursty loss take TCP a while."""


class Crew:
    """All sessions of one side."""

    def __init__(self, side: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.received = 0
        """Messages that came in so far; those of the warm-up included, the greetings not."""
        self._side = side
        self._process = process
        self._log = log
        self._said: set[str] = set()
        self._reading: Reading | None = None
        self._news = asyncio.Event()
        self._over = False

    async def until(self, word: str) -> None:
        """Wait for a word. Raises PeerError."""
        await self._wait(lambda: word in self._said, f"the {self._side}s are not “{word}”")

    async def reading(self) -> Reading:
        """Wait for the last line. Raises PeerError."""
        await self._wait(lambda: self._reading is not None, f"no reading of the {self._side}s")
        assert self._reading is not None
        return self._reading

    def tell(self, word: str) -> None:
        """Say a word."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())

    def check(self) -> None:
        """Raise PeerError if the process has ended."""
        if self._over and self._reading is None:
            raise PeerError(f"the process of the {self._side}s ended:\n{tail(self._log)}")

    async def listen(self) -> None:
        """Take in what it says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match msgspec.json.decode(line):
                case str(word):
                    self._said.add(word)
                case {"received": int(count)}:
                    self.received = count
                case _:
                    self._reading = msgspec.json.decode(line, type=Reading)
            self._news.set()
        self._over = True
        self._news.set()

    async def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self.check()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise PeerError(f"{complaint} within {PATIENCE:g} s") from None


@asynccontextmanager
async def crew(
    place: Place, worker: Sequence[str], plan: Plan, folder: Path
) -> AsyncIterator[Crew]:
    """A worker in `place`, until the block is left."""
    file, log = folder / f"{plan.side}.json", folder / f"{plan.side}.log"
    file.write_bytes(msgspec.json.encode(plan))
    with log.open("wb") as errors:
        pipe = asyncio.subprocess.PIPE
        process = await place.spawn(*worker, str(file), stdin=pipe, stdout=pipe, stderr=errors)
    one = Crew(plan.side, process, log)
    listening = asyncio.ensure_future(one.listen())
    try:
        yield one
    finally:
        await stop(process)
        await listening
