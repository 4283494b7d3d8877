"""One end of an emulated network: where processes are started.

What holds always: a process started here dies with the thread that started it (the main one, as a
rule), however that ends; so nothing keeps a namespace alive.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

TCP_CONGESTION = "net.ipv4.tcp_congestion_control"
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of one line that a process here may print."""


class Place:
    """A network namespace with an address."""

    def __init__(self, name: str, address: str, namespace: str) -> None:
        self.name = name
        self.address = address
        self._namespace = namespace

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

    def sysctl(self, name: str, value: str) -> None:
        """Set a kernel's setting of this namespace, such as TCP_CONGESTION."""
        self.run("sysctl", "-qw", f"{name}={value}")

    def move(self, address: str) -> None:
        """Change to another address, as a phone does that changes networks. The old one is gone."""
        self.run("ip", "address", "add", f"{address}/32", "dev", "wan0")
        self.run("ip", "route", "replace", "default", "dev", "wan0", "src", address)
        self.run("ip", "address", "del", f"{self.address}/32", "dev", "wan0")
        self.address = address
