"""A process of ours in a place of an emulated network, that takes one order and works until "stop".

What holds always: it is gone when the block is left; one that fails, or says nothing for PATIENCE
seconds, ends the scenario with a sentence.
May import: house; network's Place; options.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from bench.load.house import mortal
from bench.network import Place
from bench.network.place import OUTPUT_LIMIT
from bench.options import BenchError

PATIENCE = 90.0
"""Seconds to begin, and to tell at the end."""


class Helper:
    """The process, from here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def say(self, word: bytes) -> None:
        """One line on its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + b"\n")

    async def line(self) -> bytes:
        """The next of its lines. Raises BenchError."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        except TimeoutError:
            raise BenchError(f"a client said nothing for {PATIENCE:g} s") from None
        if not line:
            raise BenchError("a client failed; it said why above")
        return line

    async def stop(self) -> bytes:
        """Tell it to stop; what it has to tell."""
        self.say(b"stop")
        return await self.line()


@asynccontextmanager
async def helper(place: Place | None, module: str, order: object) -> AsyncIterator[Helper]:
    """One that has begun; None: on this machine."""
    process = await asyncio.create_subprocess_exec(
        *mortal(place, sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=OUTPUT_LIMIT,
    )
    try:
        made = Helper(process)
        made.say(msgspec.json.encode(order))
        if await made.line() != b"joined\n":
            raise BenchError("a client did not come to its session; it said why above")
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
