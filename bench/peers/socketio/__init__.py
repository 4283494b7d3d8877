"""Socket.IO, with its own server and client in Node.

Installed by npm when it is first measured, with pinned versions, into the user's cache. A relay
without a store; a sender is answered nothing, which is in its favour.
May import: base, process, certificate.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bench.network import Network
from bench.peers import process
from bench.peers.base import Line, PeerError, Side, Site
from bench.peers.certificate import certificate

PORT = 8445
_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", "server.js", "worker.js")


class SocketIO:
    """A `Peer`."""

    def __init__(self, congestion: str) -> None:
        self.name = "socketio" if congestion == "bbr" else f"socketio-{congestion}"
        versions = json.loads((_HERE / "package.json").read_text())["dependencies"]
        self.about = (
            f"Socket.IO {versions['socket.io']} on Node, WebSocket over TLS 1.3 and TCP, "
            f"{congestion.upper()} at both ends; a relay without a store"
        )
        self.congestion: str | None = congestion

    @asynccontextmanager
    async def serve(self, network: Network, folder: Path, sessions: int) -> AsyncIterator[Site]:
        chain, key = certificate(folder)
        host = network.server.address
        script = str(_installed() / "server.js")
        argv = ["node", script, host, str(PORT), str(chain), str(key)]
        async with process.running(network.server, folder / "log", PORT, *argv):
            yield Site(host, PORT)

    def worker(self) -> tuple[str, ...]:
        return "node", str(_installed() / "worker.js")

    def line(self, site: Site, side: Side, number: int) -> AbstractAsyncContextManager[Line]:
        raise PeerError("the clients of Socket.IO live in worker.js")


def _installed() -> Path:
    """The folder with the packages; npm is asked once per set of versions."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        raise PeerError(f"Socket.IO needs {' and '.join(missing)}: apt-get install nodejs npm")
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tradewind" / f"socketio-{digest[:16]}"
    if not (folder / ".done").exists():
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copy(_HERE / name, folder)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    done = subprocess.run(["npm", "ci", *quiet], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise PeerError(f"npm could not install Socket.IO: {done.stderr.strip()[-500:]}")
    (folder / ".done").touch()
