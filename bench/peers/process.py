"""Starting a peer's server and waiting until it listens.

May import: network, base.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.network import Place
from bench.peers.base import PeerError

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0


@asynccontextmanager
async def running(
    place: Place, log: Path, port: int, *argv: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server in `place`, once its TCP port listens; after the block it has ended."""
    with log.open("wb") as out:
        process = await place.spawn(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(env or {})},
        )
    try:
        await _answers(place, port, process, log)
        yield process
    finally:
        await stop(process, signal.SIGKILL)  # Nobody measures how it leaves, or keeps its data.


async def stop(process: asyncio.subprocess.Process, how: signal.Signals = signal.SIGINT) -> None:
    """Ask it to end; SIGKILL after STOP_TIMEOUT."""
    _signal(process, how)
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # Not by the process's own method: that one would reap a process that has just ended, before
    # the event loop does, which then complains.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def _answers(place: Place, port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait for a listener, seen in the kernel's table of that namespace: knocking would count."""
    wanted = f":{port:04X} "
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            break
        tables = place.run("cat", "/proc/net/tcp", "/proc/net/tcp6")
        if any(wanted in line and line.split()[3] == "0A" for line in tables.splitlines()):
            return
        await asyncio.sleep(0.1)
    raise PeerError(f"the server did not start:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last of what was written there."""
    return log.read_text(errors="replace")[-2_000:]
