"""A PostgreSQL of one's own: made, started, killed and started again, on a free port.

For bench and tests, which share it. It is the installed server with its settings as shipped
(commits are synced), a data folder of its own, and one superuser, NAME, whom the Unix socket lets
in without a password and TCP only with PASSWORD.

What holds always: nothing outside of its folder is touched; `kill` leaves no process of it behind.
May import: base.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.peers.base import PeerError

NAME = "tradewind"
PASSWORD = "a long road to the sea"
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
POLL = 0.02
SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "autovacuum_naptime": "10s",
}


class Cluster:
    """One PostgreSQL server; `folder` holds its data, its socket and its log."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port()
        self._bin = find_binaries()
        self._settings = {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._user: int | None
        self._group: int | None
        self._user, self._group = _unprivileged()
        if self._user is not None and self._group is not None:  # It refuses to run as root.
            os.chown(folder, self._user, self._group)
        self._init()

    def url(self, database: str) -> str:
        """The database over the Unix socket."""
        return f"postgresql://{NAME}@/{database}?host={self.folder}&port={self.port}"

    def url_over_tcp(self, database: str, password: str = PASSWORD) -> str:
        """The database over TCP."""
        word = password.replace(" ", "%20")
        return f"postgresql://{NAME}:{word}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            self._spawn()
            if self._ready(deadline):
                return
            # The memory of one that was killed may take a moment to be let go of.
            if time.monotonic() > deadline:
                raise PeerError(f"PostgreSQL did not start:\n{self.tail()}")
            time.sleep(POLL)

    def stop(self) -> None:
        """Stop it in order, as an operator would: sessions are cut, everything is written."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """kill -9 of the postmaster and of all its processes at once."""
        if self._process is None:
            return
        everybody = [self.pid, *children(self.pid)]
        for pid in everybody:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        while any(_lives(pid) for pid in everybody):
            time.sleep(POLL)
        self._process = None

    def sql(self, database: str, statement: str) -> str:
        """Run statements with psql; what they return, a line per row."""
        done = subprocess.run(
            [
                *(self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"),
                *("-h", self.folder, "-p", str(self.port), "-U", NAME, "-d", database),
            ],
            input=statement,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PeerError(done.stderr.strip())
        return done.stdout.strip()

    def create(self, database: str, template: str = "template0") -> str:
        """Make a database; its URL."""
        self.sql("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, with the sessions that are in it."""
        self.sql("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2_000:] if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _init(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        done = subprocess.run(
            [
                *(self._bin / "initdb", "-D", self.data, "-U", NAME, "--pwfile", secret),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"),
                *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            ],
            cwd=self.folder,
            user=self._user,
            group=self._group,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PeerError(f"initdb failed: {done.stderr.strip()}")
        lines = (f"{name} = '{value}'\n" for name, value in self._settings.items())
        with (self.data / "postgresql.conf").open("a") as out:
            out.writelines(lines)

    def _spawn(self) -> None:
        folders = "-D", str(self.data), "-k", str(self.folder)
        argv = [str(self._bin / "postgres"), *folders, "-p", str(self.port)]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                argv,
                cwd=self.folder,
                user=self._user,
                group=self._group,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def _ready(self, deadline: float) -> bool:
        """Whether it takes connections now; False when it ended or was too slow."""
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
                # The last line says so; the first tells it from one that was killed.
                if lines[0] == str(self.pid) and lines[-1].strip() == "ready":
                    return True
            time.sleep(POLL)
        return False


@contextmanager
def cluster(folder: Path | None = None, **settings: str) -> Iterator[Cluster]:
    """A PostgreSQL that runs; after the block it has ended, and its folder is gone.

    `folder` is where its own is made, if not among the temporary files.
    """
    # Not below a folder that only its owner may enter; and short, for the socket's path.
    made = Path(tempfile.mkdtemp(prefix="tw-pg-", dir=folder))
    try:
        server = Cluster(made, **settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(made)


def find_binaries() -> Path:
    """The folder of the newest PostgreSQL that is installed. Raises PeerError."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))])
    if (path := shutil.which("postgres")) is not None:
        return Path(path).parent
    raise PeerError("no PostgreSQL is installed; run: deploy/needs.sh test")


def children(pid: int) -> list[int]:
    """The processes that one has started and that live."""
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _unprivileged() -> tuple[int, int] | tuple[None, None]:
    """The user and group to run it as, when we are root."""
    if os.geteuid() != 0:
        return None, None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise PeerError("PostgreSQL does not run as root, and there is no user to run it as")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
