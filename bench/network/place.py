"""One end of an emulated network: where processes are started.

What holds always: a process started here dies with the network, and with the thread that started it
(the main one, as a rule), however these end; so nothing keeps a namespace alive.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

DEVICE = "wan0"
CLIENT, SERVER = "10.77.0.2", "10.77.1.2"
SECOND_CLIENT = "10.77.0.3"
"""Where a client can move to, or seem to come from."""
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of one line that a process here may print."""


class Place:
    """A network namespace with an address."""

    def __init__(self, name: str, address: str, namespace: str) -> None:
        self.name = name
        self.address = address
        self._namespace = namespace
        self._congestion: tuple[str, ...] = ()

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` here."""
        enter = ["nsenter", f"--net={self._namespace}"]
        return [*enter, "setpriv", "--pdeathsig", "KILL", "--", *argv]

    async def spawn(self, *argv: str, **options: Any) -> asyncio.subprocess.Process:
        """Start a process here."""
        options.setdefault("limit", OUTPUT_LIMIT)
        return await asyncio.create_subprocess_exec(*self.command(*argv), **options)

    def popen(self, *argv: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a process here, without an event loop."""
        return subprocess.Popen(self.command(*argv), **options)

    def run(self, *argv: str) -> str:
        """Run a process to its end; what it printed. Raises CalledProcessError."""
        done = subprocess.run(self.command(*argv), check=True, capture_output=True, text=True)
        return done.stdout

    def congestion(self, name: str) -> None:
        """What TCP's new connections across the link use, both ways: bbr, cubic, reno.

        By the route, not by sysctl: there a namespace may only choose what the machine's own
        setting allows to everybody.
        """
        self._congestion = ("congctl", name)
        self._route()

    def move(self, address: str) -> None:
        """Change to another address, as a phone does that changes networks. The old one is gone."""
        old, self.address = self.address, address
        self.run("ip", "address", "add", f"{address}/32", "dev", DEVICE)
        self._route()
        self.run("ip", "address", "del", f"{old}/32", "dev", DEVICE)

    def _route(self) -> None:
        route = ("default", "dev", DEVICE, "src", self.address, *self._congestion)
        self.run("ip", "route", "replace", *route)
