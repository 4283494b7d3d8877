"""The emulated network, with the kernel's namespaces and TUN devices for real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.network import SECOND_CLIENT, LinkLost, Network, NetworkUnavailable, Shape, kernel
from bench.network.accuracy import measure

pytestmark = pytest.mark.usefixtures("linux_root")

ECHO = """
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 5000))
print("ready", flush=True)
while True:
    data, address = udp.recvfrom(2000)
    udp.sendto(f"{address[0]} {address[1]} ".encode() + data, address)
"""
ASK = """
import json, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(0.3)
udp.connect((sys.argv[1], 5000))
answers = []
for line in sys.stdin:
    try:
        udp.send(line.encode())
        answers.append(udp.recv(2000).decode())
    except OSError:
        answers.append(None)
    print(json.dumps(answers[-1]), flush=True)
"""
TCP = """
import socket, sys
with socket.create_connection((sys.argv[1], 5001), timeout=3) as tcp:
    print(tcp.recv(100).decode())
"""
TCP_SERVER = """
import socket
server = socket.create_server(("", 5001))
print("ready", flush=True)
while True:
    connection, address = server.accept()
    connection.sendall(b"welcome")
    connection.close()
"""


class Asker:
    """One UDP socket of the client's, asking a server that says whom it sees."""

    def __init__(self, network: Network) -> None:
        self._process = network.client.popen(
            sys.executable, "-c", ASK, network.server.address,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self) -> tuple[str, int] | None:
        """The address and port that the server sees; None when there is no answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return None if answer is None else (answer.split()[0], int(answer.split()[1]))

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(Shape(delay=0.001)) as network:
        servers = [
            network.server.popen(sys.executable, "-c", code, stdout=subprocess.PIPE)
            for code in (ECHO, TCP_SERVER)
        ]
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
        try:
            yield network
        finally:
            for server in servers:
                server.kill()
                server.communicate()


@pytest.fixture
def asker(network: Network) -> Iterator[Asker]:
    asker = Asker(network)
    yield asker
    asker.close()


def test_blackhole_takes_all_and_gives_back(network: Network, asker: Asker) -> None:
    assert asker.ask() is not None
    network.link.blackhole(True)
    before = network.link.stats()
    assert asker.ask() is None
    assert (network.link.stats() - before).up.blocked == 1
    network.link.blackhole(False)
    assert asker.ask() is not None


def test_what_was_on_its_way_to_the_client_falls_into_the_hole(network: Network) -> None:
    network.link.shape(down=Shape(delay=0.15))
    asker = network.client.popen(
        sys.executable, "-c", ASK, network.server.address,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert asker.stdin is not None
    asker.stdin.write(b"?\n")
    asker.stdin.flush()
    while network.link.stats().down.packets == 0:
        time.sleep(0.005)
    network.link.blackhole(True)
    printed, _ = asker.communicate()
    assert printed == b"null\n"
    assert network.link.stats().down.blocked == 1


def test_udp_blocked_leaves_tcp(network: Network, asker: Asker) -> None:
    network.link.block_udp(True)
    assert asker.ask() is None
    answer = network.client.run(sys.executable, "-c", TCP, network.server.address)
    assert answer == "welcome\n"


def test_rebinding_shows_another_port_and_address(network: Network, asker: Asker) -> None:
    first = asker.ask()
    network.link.rebind()
    second = asker.ask()
    network.link.rebind("10.77.0.9")
    third = asker.ask()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first[0] == second[0] == network.client.address
    assert third[0] == "10.77.0.9"
    assert len({first[1], second[1], third[1]}) == 3


def test_moving_to_another_address(network: Network) -> None:
    network.client.move(SECOND_CLIENT)
    asker = Asker(network)
    seen = asker.ask()
    asker.close()
    assert seen is not None
    assert seen[0] == SECOND_CLIENT == network.client.address


@pytest.mark.parametrize("name", ["bbr", "cubic"])
def test_congestion_control_of_new_connections(network: Network, name: str) -> None:
    network.client.congestion(name)
    network.server.congestion(name)
    network.link.shape(Shape(delay=0.2), Shape(delay=0.2))
    client = network.client.popen(
        sys.executable, "-c", TCP, network.server.address, stdout=subprocess.PIPE
    )
    seen = ""
    while name not in seen and client.poll() is None:
        seen = network.server.run("ss", "-tiHn")
    client.communicate()
    assert f" {name} " in seen


async def test_the_link_does_what_it_was_told() -> None:
    up = Shape(delay=0.02, jitter=0.01, loss=0.05, burst=2.5)
    down = Shape(delay=0.03, loss=0.03, reorder=0.02, reorder_by=0.15)
    found = await measure(up, down, packets=2_000, seed=5, pour=0.3)
    for way, shape in ((found.up, up), (found.down, down)):
        assert way.delays[0] >= shape.delay * 1000
        assert way.sent == 2_000
    assert 0.02 < found.up.loss < 0.09
    assert found.up.burst is not None
    assert 1.7 < found.up.burst < 3.5
    assert 0.015 < found.down.loss < 0.05
    assert found.up.overtaken == 0
    assert 0.005 < found.down.overtaken < 0.04
    assert found.link.up.lost == round(found.up.loss * 2_000)
    assert sum(found.link.late) == found.link.up.arrived + found.link.down.arrived
    assert found.at_rate < 10_500_000 < found.unshaped


def test_a_killed_link_leaves_nothing_and_is_noticed() -> None:
    with Network() as network:
        namespace = Path(network.client.command()[1].removeprefix("--net="))
        assert namespace.exists()
        os.kill(network.pid, signal.SIGKILL)
        with pytest.raises(LinkLost):
            network.link.stats()
        with pytest.raises(subprocess.CalledProcessError):
            network.client.run("true")
    assert not namespace.exists()


def test_what_was_started_there_ends_with_the_network() -> None:
    with Network() as network:
        left = network.server.popen(
            "sh", "-c", "trap '' INT TERM; echo ready; sleep 600", stdout=subprocess.PIPE
        )
        assert left.stdout is not None
        assert left.stdout.readline() == b"ready\n"
    left.communicate()
    assert left.returncode == -signal.SIGKILL


def test_a_killed_owner_takes_everything_with_it() -> None:
    code = (
        "import subprocess\nfrom bench.network import Network\n"
        "with Network() as network:\n"
        "    child = network.server.popen('sleep', '600', stdout=subprocess.DEVNULL)\n"
        "    print(network.pid, child.pid, flush=True)\n"
        "    child.wait()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 5
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_alive, pids))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_processes_started_from_a_loop(network: Network) -> None:
    process = await network.client.spawn("ip", "-br", "address", stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert network.client.address.encode() in printed


def test_who_may_not_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "TUN", tmp_path / "tun")
        with pytest.raises(NetworkUnavailable, match="modprobe"):
            kernel.require()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NetworkUnavailable, match="sudo"):
        kernel.require()
