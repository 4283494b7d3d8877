"""Making an emulated network and taking it away.

May import: the rest of network, save the link, which is a process of its own.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from types import TracebackType

import msgspec

from bench.network import kernel
from bench.network.commands import (
    AskStats,
    Command,
    Ready,
    Rebind,
    SetBlackhole,
    SetShapes,
    SetUdpBlocked,
    Stats,
)
from bench.network.place import CLIENT, SERVER, Place
from bench.network.shape import Shape

PATIENCE = 10.0
"""Seconds that the link may take to answer."""


class LinkLost(Exception):
    """The link's process is gone; so is the network."""


class Control:
    """The link, told what to do. Every call waits until it is done: a fraction of a millisecond."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def shape(self, up: Shape | None = None, down: Shape | None = None) -> None:
        """Change what packets meet: `up` is from client to server. None leaves a direction."""
        self._ask(SetShapes(up, down))

    def blackhole(self, on: bool) -> None:
        """A tunnel: nothing passes, either way."""
        self._ask(SetBlackhole(on))

    def block_udp(self, on: bool) -> None:
        """A firewall that lets no UDP through."""
        self._ask(SetUdpBlocked(on))

    def rebind(self, address: str = CLIENT) -> None:
        """A NAT that forgot its bindings: from now on clients seem to come from `address` and from
        other ports than before, and what is sent to the old ones is lost."""
        self._ask(Rebind(address))

    def stats(self) -> Stats:
        """The counters since the beginning; subtract two of them for a stretch of time."""
        return self._ask(AskStats())

    def _ask(self, command: Command) -> Stats:
        try:
            self._channel.send(msgspec.json.encode(command))
            answer = self._channel.recv(1 << 20)
        except OSError as error:
            raise LinkLost(f"the link's process does not answer: {error}") from error
        if not answer:
            raise LinkLost("the link's process has ended")
        return msgspec.json.decode(answer, type=Stats)


class Network:
    """The places `client` and `server`, and `link` to control what lies between, within `with`.

    Entering raises NetworkUnavailable.
    """

    client: Place
    server: Place
    link: Control

    def __init__(self, up: Shape | None = None, down: Shape | None = None, seed: int = 1) -> None:
        self._up = up or Shape()
        self._down = down or self._up
        self._seed = seed

    def __enter__(self) -> Network:
        kernel.require()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(PATIENCE)
        with theirs:
            command = [sys.executable, "-m", "bench.network.link"]
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(self._seed)], pass_fds=[theirs.fileno()]
            )
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The link's process."""
        return self._process.pid

    def _begin(self) -> None:
        try:
            answer = self._channel.recv(4_096)
        except OSError as error:
            raise kernel.NetworkUnavailable(f"the link did not start: {error}") from error
        if not answer:
            raise kernel.NetworkUnavailable("the link did not start; it said why above")
        ready = msgspec.json.decode(answer, type=Ready)
        at = f"/proc/{self._process.pid}/fd"
        self.client = Place("client", CLIENT, f"{at}/{ready.client}")
        self.server = Place("server", SERVER, f"{at}/{ready.server}")
        self.link = Control(self._channel)
        self.link.shape(self._up, self._down)

    def _end(self) -> None:
        self._channel.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
