"""The server under test: a real `tradewind serve` in a process and a data folder of its own.

    async with house(workers=1) as server:
        token = (await server.visitors(1))[0]
        ...
        server.usage(); await server.metrics()

In an emulated network: `house(place=net.server)`.

What holds always: when the block is left the process has ended and its folder is gone; the bounds
per address are lifted, because a load test has few addresses; everything else is as shipped.
May import: meter, people; network's Place; options; transport's client trust.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.load import meter, people
from bench.network import Place
from bench.options import BenchError
from transport.client.trust import Trust

START_TIMEOUT = 30.0
STOP_TIMEOUT = 20.0
LIFTED = {
    "TRADEWIND_MAX_SESSIONS": "10000000",
    "TRADEWIND_MAX_SESSIONS_PER_ADDRESS": "10000000",
}
_SERVE = "from server.cli import main; main()"


class HouseError(BenchError):
    """The server did not start, or did not stop. The message says what it said."""


class House(Struct):
    """A server. `name` is what clients call it, `address` where it is reached; `process` is another
    one after `restart`."""

    process: asyncio.subprocess.Process
    command: list[str]
    settings: Mapping[str, str]
    folder: Path
    name: str
    address: str
    port: int
    http_port: int
    place: Place | None

    @property
    def url(self) -> str:
        """Where sessions are opened."""
        return f"https://{self.address}:{self.port}/v1/live"

    @property
    def trust(self) -> Trust:
        """It is ours."""
        return Trust(insecure=True)

    def usage(self) -> meter.Usage:
        """What it takes now, its workers included."""
        return meter.usage(self.process.pid)

    def ended(self) -> int | None:
        """Its exit code, if it has ended."""
        return self.process.returncode

    async def metrics(self) -> dict[str, float]:
        """What /metrics says: sample, with its labels as written there, to value."""
        return people.samples(await people.get(people.HOST, self.http_port, "/metrics"))

    async def visitors(self, count: int) -> list[str]:
        """Tokens of so many new visitors, once the server is ready."""
        command = [sys.executable, "-m", "bench.load.people", str(self.http_port), str(count)]
        asking = await asyncio.create_subprocess_exec(
            *mortal(self.place, *command), stdout=asyncio.subprocess.PIPE
        )
        try:
            tokens, _ = await asking.communicate()
        finally:
            if asking.returncode is None:
                asking.kill()
                await asking.wait()
        return tokens.decode().split()

    async def agent(self) -> str:
        """A token of the demo's agent."""
        login = msgspec.json.decode(await people.get(people.HOST, self.http_port, "/v1/demo"))
        return await people.sign_in(people.HOST, self.http_port, login["email"], login["password"])

    async def restart(self) -> None:
        """Start it again in the same folder, once it has ended, and wait until it is ready."""
        await self.process.wait()
        self.process = await _spawn(self.command, self.settings, self.folder)
        await _ready(self)

    def log(self) -> str:
        """The last of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-2_000:]


def mortal(place: Place | None, *command: str) -> list[str]:
    """The command line of a process that dies with this one, however this one ends."""
    if place is not None:
        return place.command(*command)
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]


@asynccontextmanager
async def house(
    *, workers: int = 1, place: Place | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """Start a server and wait until it is ready. Raises HouseError."""
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        server = await _start(Path(folder), workers, place, settings or {})
        try:
            await _ready(server)
            yield server
        finally:
            await _stop(server.process)


async def _start(
    folder: Path, workers: int, place: Place | None, settings: Mapping[str, str]
) -> House:
    meter.lift_files()
    port, http_port = _free(), _free()
    command = [sys.executable, "-c", _SERVE, "serve", "--demo", "--log-level", "warning"]
    command += ["--port", str(port), "--http-port", str(http_port)]
    command += ["--data-dir", str(folder / "data")]
    if workers > 1:
        command += ["--workers", str(workers)]
    command = mortal(place, *command)
    process = await _spawn(command, settings, folder)
    address = people.HOST if place is None else place.address
    name = "localhost"
    return House(process, command, settings, folder, name, address, port, http_port, place)


async def _spawn(
    command: list[str], settings: Mapping[str, str], folder: Path
) -> asyncio.subprocess.Process:
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **LIFTED, **settings},
        )


async def _ready(server: House) -> None:
    """Wait for the first visitor that it takes; say what it said if it ends before that."""
    asking = asyncio.create_task(server.visitors(1))
    ended = asyncio.create_task(server.process.wait())
    try:
        await asyncio.wait(
            [asking, ended], timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        if ended.done() or not asking.done():
            raise HouseError(f"the server did not start:\n{server.log()}")
    finally:
        asking.cancel()
        ended.cancel()
        await asyncio.gather(asking, ended, return_exceptions=True)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(2)  # As Ctrl-C: it leaves at once.
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free() -> int:
    """A port that is free for TCP and, very likely, for UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
