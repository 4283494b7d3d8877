"""What an idle session costs a server: resident memory before and with N of them.

    python -m bench.memory --transport webtransport --sessions 1000
    python -m bench.memory --transport websocket-h1 --sessions 1000

A server of its own process carries sessions that said hello and were welcomed, and nothing else
(no shop, no store): what is measured is the transport. The clients live in this process. PSS is
read from /proc, in the server after a full collection, when SETTLE seconds brought nothing new.
`bench.cost` asks the same server.

May import: transport.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog
import uvloop
from msgspec import Struct

from transport.accept import Terms, accept
from transport.asgi import Receive, Scope, Send
from transport.client.dial import connect
from transport.client.trust import Trust
from transport.driver import Driver
from transport.serve import ServeConfig, serving
from transport.session import Session, TransportKind
from transport.tls import Certificates
from transport.wire.frames import Accepted, Frame, Hello, Welcome
from transport.wire.frames import Send as SendFrame

AT_ONCE = 20
"""Sessions that are being opened at a time."""
WARM_UP = 50
"""Sessions opened and closed before the first reading, so that caches are filled."""
SETTLE = 3.0
"""Seconds without traffic before a reading."""
HEARTBEAT_MS = 120_000
COMMIT = 0.003
"""Seconds after which the server accepts a message: what a store would take."""


class Reading(Struct, frozen=True):
    """Memory of the server, in bytes."""

    rss: int
    pss: int


async def _welcome(session: Session) -> None:
    await session.receive()
    session.send(Welcome(1, session.info.id, "v:0", int(time.time() * 1000), HEARTBEAT_MS))
    loop = asyncio.get_running_loop()
    while True:
        loop.call_later(COMMIT, functools.partial(_accept, session, await session.receive()))


def _accept(session: Session, frame: Frame) -> None:
    if isinstance(frame, SendFrame) and not session.closed:
        session.send(Accepted(frame.client_id, frame.conversation, 1, 1, 1))


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(scope, receive, send, _gate)


async def _gate(_: Scope) -> Terms:
    return Terms(lambda _: True, _welcome)


async def _serve(folder: Path) -> None:
    """The server: says its port, then answers each line on stdin by a reading."""
    config = ServeConfig(
        certificates=Certificates.development(folder),
        gate=_gate,
        host="127.0.0.1",
        port=0,
        grace=0.2,
    )
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async with serving(_app, config) as listening:
        print(json.dumps({"port": listening.port}), flush=True)
        while await stdin.readline():
            gc.collect()
            own = {"cpu": time.process_time(), **_own_memory(), **listening.stats()}
            print(json.dumps(own), flush=True)


def _own_memory() -> dict[str, int]:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return {"rss": kib["Rss"] * 1024, "pss": kib["Pss"] * 1024}


class Server:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer

    async def ask(self) -> dict[str, Any]:
        """Its memory in bytes, its CPU time in seconds, and what its listeners counted."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self.line()

    async def reading(self) -> Reading:
        await asyncio.sleep(SETTLE)
        own = await self.ask()
        return Reading(own["rss"], own["pss"])


@contextlib.asynccontextmanager
async def server(folder: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.memory",
        "--serve",
        folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    try:
        yield Server(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def sessions(kind: TransportKind, port: int, count: int) -> AsyncIterator[list[Driver]]:
    """`count` welcomed sessions, until the block is left."""
    gate = asyncio.Semaphore(AT_ONCE)
    trust = Trust(insecure=True)

    async def one() -> tuple[Driver, asyncio.Task[None]]:
        async with gate:
            session = await connect(f"https://127.0.0.1:{port}/v1/live", kind, trust=trust)
            running = asyncio.ensure_future(session.run())
            session.send(Hello(1, "nobody"))
            await session.receive()
            return session, running

    opened = await asyncio.gather(*(one() for _ in range(count)))
    try:
        yield [session for session, _ in opened]
    finally:
        for session, running in opened:
            session.close(1000)
            await running


async def measure(kind: TransportKind, count: int) -> dict[str, Any]:
    """Readings before, with `count` sessions, and after; and bytes for each."""
    with tempfile.TemporaryDirectory() as folder:
        async with server(folder) as other:
            port = (await other.line())["port"]
            async with sessions(kind, port, WARM_UP):
                pass
            before = await other.reading()
            async with sessions(kind, port, count):
                during = await other.reading()
            after = await other.reading()
    return {
        "transport": str(kind),
        "sessions": count,
        "before_mib": _mib(before.pss),
        "with_mib": _mib(during.pss),
        "after_mib": _mib(after.pss),
        "kib_per_session_pss": round((during.pss - before.pss) / count / 1024, 1),
        "kib_per_session_rss": round((during.rss - before.rss) / count / 1024, 1),
    }


def _mib(size: int) -> float:
    return round(size / 1_048_576, 1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.memory")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sessions", type=int, default=1000)
    kinds = [str(kind) for kind in TransportKind if kind is not TransportKind.MEMORY]
    parser.add_argument("--transport", choices=kinds, default="webtransport")
    chosen = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if chosen.serve is not None:
        uvloop.run(_serve(chosen.serve))
    else:
        kind = TransportKind(chosen.transport)
        print(json.dumps(uvloop.run(measure(kind, chosen.sessions)), indent=1))


if __name__ == "__main__":
    main()
