"""What a peer is: a server that can be started, and clients that can talk through it.

A scenario starts the server in one place and *workers* in others. A worker is a process of any
language that holds many sessions of one side. It reads a Plan (a JSON file named by its last
argument), writes one JSON object a line, and reads one word a line:

    worker → "joined"       its sessions are connected
             "ready"        and it has heard from the other side (shoppers greet, agents wait)
             {"received": n}          now and then
             Reading        the last line
    worker ← "go"           begin to send
             "stop"         tell the Reading and end

Messages are text: a key, then a filler up to `size`. Clocks are the kernel's monotonic one, in
nanoseconds, which all processes of a machine share.
May import: network.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from bench.network import Network

Side = Literal["shopper", "agent"]
FILLER = "."


class PeerError(Exception):
    """A peer cannot be measured here. The message says why, and what to do."""


class Site(Struct, frozen=True):
    """Where the server of a peer is. `extra` is the peer's own affair."""

    host: str
    port: int
    extra: dict[str, str] = {}


class Plan(Struct, frozen=True, kw_only=True):
    """What a worker is to do. Numbers of messages are per session, `rate` is a session's, a second;
    gaps between messages are drawn evenly from half to one and a half of the mean."""

    peer: str
    side: Side
    site: Site
    sessions: int
    messages: int
    rate: float
    size: int
    seed: int


class Reading(Struct, frozen=True):
    """What a worker saw: when each message (its key) was sent, and when one came in first."""

    sent: dict[str, int]
    received: dict[str, int]


def key(side: Side, session: int, number: int) -> str:
    """The key of a message; the side's letter comes first."""
    return f"{side[0]}{session}-{number}"


def text(key: str, size: int) -> str:
    """A message's text."""
    return f"{key} ".ljust(size, FILLER)


def key_of(text: str) -> str:
    """The key in a message's text."""
    return text.split(" ", 1)[0]


class Line(Protocol):
    """One session of one side, connected. Session `n` of the shoppers talks with agents' `n`."""

    def send(self, text: str) -> None:
        """Hand a message to the transport, now."""
        ...

    def texts(self) -> AsyncIterator[str]:
        """The messages that come in. Those of one's own side may be among them."""
        ...


class Peer(Protocol):
    """One system with one way to use it."""

    name: str
    about: str
    """One line: what it is, with its versions and what matters of its settings."""
    congestion: str | None
    """The kernel's TCP congestion control that it runs with; None: it does not use TCP."""

    def serve(
        self, network: Network, folder: Path, sessions: int
    ) -> AbstractAsyncContextManager[Site]:
        """A running server in `network.server`, for so many pairs of sessions."""
        ...

    def worker(self) -> tuple[str, ...]:
        """The command line of its workers, without the plan's file."""
        ...

    def line(self, site: Site, side: Side, number: int) -> AbstractAsyncContextManager[Line]:
        """Connect one session, in the worker's process. Not called where the worker is not ours."""
        ...


PYTHON_WORKER = (sys.executable, "-m", "bench.peers.worker")
