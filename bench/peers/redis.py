"""A Redis of one's own, on a Unix socket in a folder of its own.

What holds always: it keeps nothing on disk, and dies with whoever started it.
May import: base, process.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.peers.base import PeerError
from bench.peers.process import tail

START_TIMEOUT = 10.0


@asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[str]:
    """Its URL, once it listens. Raises PeerError."""
    if shutil.which("redis-server") is None:
        raise PeerError("there is no redis-server here; install it (on Debian: redis-server)")
    socket, log = folder / "redis.sock", folder / "redis.log"
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", "--", "redis-server", *options,
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        await _listens(process, socket, log)
        yield f"unix://{socket}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, socket: Path, log: Path) -> None:
    for _ in range(int(START_TIMEOUT / 0.02)):
        if await asyncio.to_thread(socket.exists):
            return
        if process.returncode is not None:
            break
        await asyncio.sleep(0.02)
    raise PeerError(f"Redis did not start:\n{tail(log)}")
