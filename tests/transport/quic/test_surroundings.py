"""Word from the operating system, in a network namespace of its own whose addresses we change."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys

import pytest

from transport.quic import surroundings

CHANGES = """
import asyncio, socket, subprocess
from transport.quic import surroundings

TARGET = ("192.0.2.1", 9)

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def source():
    return surroundings.source_towards(socket.AF_INET, TARGET)

async def told(change, calls):
    calls.clear()
    change()
    async with asyncio.timeout(5):
        while not calls:
            await asyncio.sleep(0.01)
    await asyncio.sleep(2 * surroundings.PAUSE)

async def main():
    calls = []
    leave = surroundings.watch(asyncio.get_running_loop(), lambda: calls.append(source()))
    assert source() is None
    await told(lambda: ip("link add wan0 type veth peer name far0"), calls)
    ip("link set far0 up")
    ip("link set wan0 up")
    await told(lambda: ip("address add 10.9.0.2/32 dev wan0"), calls)
    await told(lambda: ip("route add default dev wan0 src 10.9.0.2"), calls)
    assert source() == calls[-1] == "10.9.0.2"
    ip("address add 10.9.0.3/32 dev wan0")
    await told(lambda: ip("route replace default dev wan0 src 10.9.0.3"), calls)
    assert source() == calls[-1] == "10.9.0.3"
    calls.clear()
    for _ in range(20):
        ip("address add 10.9.0.4/32 dev wan0")
        ip("address del 10.9.0.4/32 dev wan0")
    await asyncio.sleep(2 * surroundings.PAUSE)
    assert 1 <= len(calls) < 40, "many changes are told of at once"
    leave()
    calls.clear()
    ip("address add 10.9.0.4/32 dev wan0")
    await asyncio.sleep(2 * surroundings.PAUSE)
    assert not calls

asyncio.run(main())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"),
    reason="needs Linux, root and unshare, to make a network namespace",
)
def test_a_change_of_address_is_told() -> None:
    command = ["unshare", "--net", sys.executable, "-c", CHANGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_the_last_who_watches_takes_the_socket_along() -> None:
    loop = asyncio.get_running_loop()
    first, second = (surroundings.watch(loop, lambda: None) for _ in range(2))
    assert loop in surroundings._watchers
    first()
    first()
    assert loop in surroundings._watchers
    second()
    assert loop not in surroundings._watchers


def test_our_address_towards_ourselves() -> None:
    assert surroundings.source_towards(socket.AF_INET, ("127.0.0.1", 9)) == "127.0.0.1"
