"""The steering program in the kernel: real packets, a real group of sockets, who gets what."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from transport.quic.aio.bounds import CONNECTION_ID_LENGTH
from transport.quic.steering import MAX_WORKERS, Slot, program
from transport.workers import Group, adopt

V1, V2 = b"\x00\x00\x00\x01", b"\x6b\x33\x43\xcf"
TYPES = {
    V1: {"initial": 0xC0, "0-rtt": 0xD0, "handshake": 0xE0},
    V2: {"initial": 0xD0, "0-rtt": 0xE0, "handshake": 0xF0},
}
UNKNOWN = b"\x0a\x0a\x0a\x0a"


class Kernel:
    """A group, ends that read its sockets, and a client that sends from many ports."""

    def __init__(self, group: Group, stack: ExitStack) -> None:
        self.group = group
        self._stack = stack
        slots = [Slot(bank, i, group.workers) for bank in (0, 1) for i in range(group.workers)]
        self._ends = [
            socket.fromfd(group.of(slot).udp, socket.AF_INET6, socket.SOCK_DGRAM) for slot in slots
        ]
        for end in self._ends:
            stack.enter_context(end)

    def reaches(self, packet: bytes, host: str = "127.0.0.1") -> int:
        """The number of the socket that gets the packet."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.sendto(packet, (host, self.group.port))
        [found] = [number for number, end in enumerate(self._ends) if _read(end) == packet]
        return found


def _read(end: socket.socket) -> bytes | None:
    try:
        return end.recv(2048)
    except BlockingIOError:
        return None


@pytest.fixture(params=[1, 2, 3, 4])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    with closing(Group(None, 0, None, request.param)) as group, ExitStack() as stack:
        yield Kernel(group, stack)


def short(id: bytes) -> bytes:
    return b"\x40" + id + os.urandom(20)


def long(kind: str, id: bytes, version: bytes = V1) -> bytes:
    return bytes((TYPES[version][kind],)) + version + bytes((len(id),)) + id + os.urandom(20)


def chosen(first: int) -> bytes:
    return bytes((first,)) + os.urandom(7)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_issued_id_reaches_its_issuer_from_any_port(kernel: Kernel, host: str) -> None:
    workers = kernel.group.workers
    for index in range(workers):
        slot = Slot(0, index, workers)
        id = slot.connection_id(CONNECTION_ID_LENGTH)
        assert {kernel.reaches(short(id), host) for _ in range(20)} == {slot.socket}


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("current", [0, 1])
def test_an_id_of_the_client_keeps_its_worker_through_the_handshake(
    kernel: Kernel, version: bytes, current: int
) -> None:
    kernel.group.steer(current, draining=False)
    workers = kernel.group.workers
    for first in (0, 1, 77, 127, 128, 200, 255):
        place = kernel.reaches(long("initial", chosen(first), version))
        assert kernel.reaches(long("0-rtt", chosen(first), version)) == place
        assert place == Slot(current, (first & 127) % workers, workers).socket
        ours = Slot(current, place - current * workers, workers).connection_id(8)
        assert kernel.reaches(long("initial", ours, version)) == place
        assert kernel.reaches(long("handshake", ours, version)) == place
        assert kernel.reaches(short(ours)) == place


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("current", [0, 1])
def test_two_generations(kernel: Kernel, version: bytes, current: int) -> None:
    """While one drains, each gets its own, and the newest all that is new."""
    kernel.group.steer(current, draining=True)
    workers = kernel.group.workers
    for bank in (0, 1):
        for index in range(workers):
            slot = Slot(bank, index, workers)
            id = slot.connection_id(8)
            assert kernel.reaches(short(id)) == slot.socket
            assert kernel.reaches(long("handshake", id, version)) == slot.socket
            newest = Slot(current, index, workers).socket
            assert kernel.reaches(long("initial", id, version)) == newest


def test_a_generation_that_is_gone_is_asked_nothing(kernel: Kernel) -> None:
    workers = kernel.group.workers
    kernel.group.steer(1, draining=False)
    lost = Slot(0, workers - 1, workers).connection_id(8)
    assert kernel.reaches(short(lost)) == Slot(1, workers - 1, workers).socket


def test_an_unknown_version_goes_to_the_newest(kernel: Kernel) -> None:
    kernel.group.steer(1, draining=True)
    packet = b"\xff" + UNKNOWN + b"\x08" + chosen(3) + bytes(1200)
    assert kernel.reaches(packet) >= kernel.group.workers


@pytest.mark.parametrize("rubbish", [b"\x40", b"\xc0\x00", b"\xc0\x00\x00\x00\x01\x08", b"x"])
def test_what_is_too_short_to_read_is_delivered_somewhere(kernel: Kernel, rubbish: bytes) -> None:
    assert kernel.reaches(rubbish) == 0


@pytest.mark.parametrize("workers", [1, 2, 3, 7, MAX_WORKERS])
def test_issued_ids_are_random_and_name_their_slot(workers: int) -> None:
    for index in {0, workers - 1}:
        for bank in (0, 1):
            slot = Slot(bank, index, workers)
            ids = [slot.connection_id(8) for _ in range(500)]
            assert len(set(ids)) == 500
            assert {len(id) for id in ids} == {8}
            assert {(id[0] >> 7, (id[0] & 127) % workers) for id in ids} == {(bank, index)}
            assert len({id[0] for id in ids}) > 1


@pytest.mark.parametrize("workers", [0, -1, MAX_WORKERS + 1])
def test_too_many_workers(workers: int) -> None:
    with pytest.raises(ValueError, match="workers"):
        program(workers, 0, draining=False)


def test_a_taken_port_is_refused_although_it_could_be_shared() -> None:
    with (
        closing(Group("127.0.0.1", 0, 0, 2)) as first,
        pytest.raises(OSError, match="in use"),
    ):
        Group("127.0.0.1", first.port, None, 2)


def test_the_sockets_of_a_slot_are_taken_over() -> None:
    with closing(Group("127.0.0.1", 0, 0, 2)) as group:
        slot = Slot(1, 1, 2)
        descriptors = group.of(slot)
        copies = [os.dup(number) for number in descriptors.all()]
        sockets = adopt(slot, type(descriptors)(*copies))
        try:
            assert sockets.udp.getsockname()[1] == sockets.tcp.getsockname()[1] == group.port
            assert sockets.loopback is not None
            assert sockets.loopback.getsockname()[1] == group.loopback_port
        finally:
            sockets.close()
        # The group outlives whoever took them over.
        with socket.create_connection(("127.0.0.1", group.port), 5):
            pass
