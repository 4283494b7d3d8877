"""A Redis of one's own: started, killed and started again, on a free port.

For bench and tests, which share it. It is the installed server, in a folder of its own; `options`
are lines of redis.conf, and without any nothing is kept on disk.

What holds always: it dies with the process that started it; nothing outside of its folder is
touched.
May import: base.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.base import PeerError

START_TIMEOUT = 15.0
POLL = 0.005
NOTHING_KEPT = ('save ""', "appendonly no")


class RedisServer:
    """A redis-server on loopback and a Unix socket."""

    program = "redis-server"

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self.socket = folder / "sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options or NOTHING_KEPT

    @property
    def url(self) -> str:
        """Over TCP."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """Over its socket."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Returns when it answers. What it says is in `log` of its folder."""
        if shutil.which(self.program) is None:
            raise PeerError(f"there is no {self.program}; apt-get install redis-server")
        config = self.folder / "redis.conf"
        if not config.exists():  # A sentinel writes its own.
            config.write_text("\n".join((*self._lines(), *self._options, "")))
        command = ["setpriv", "--pdeathsig", "KILL", self.program, str(config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise PeerError(f"Redis did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(POLL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None, "not started"
        self.process.send_signal(number)

    def kill(self) -> None:
        """As `kill -9` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def _lines(self) -> list[str]:
        return [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            "daemonize no",
        ]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(1)
                sock.connect(str(self.socket))
                sock.sendall(b"PING\r\n")
                return sock.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """One that runs; after the block it has ended, and its folder is gone."""
    with tempfile.TemporaryDirectory(prefix="tw-redis-") as folder:
        server = RedisServer(Path(folder), *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
