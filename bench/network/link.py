"""The link: a process of its own between two TUN devices. Started by `Network`, never by hand.

It makes both namespaces, and holds them: when it goes, they and their devices go. It goes when
the other end of its control socket is closed, on purpose or because that process died, and it takes
all processes in its namespaces with it.

What holds always: a packet is delayed, lost or dropped here and nowhere else; `late` counts by how
much each one left later than it was due, so the link's own error is known.

Bounds: MAX_FLOWS flows are told apart (then the oldest is forgotten); BATCH packets are read from a
device before those that are due are let go. What a flow may queue is a matter of its Shape; without
a rate the packets on their way are as many as the senders' windows allow.
May import: the rest of network.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time
from heapq import heappop, heappush
from random import Random

import msgspec

from bench.network import kernel
from bench.network import packet as ip
from bench.network.commands import (
    LATE_STEP,
    AskStats,
    Command,
    Count,
    Ready,
    Rebind,
    SetBlackhole,
    SetShapes,
    SetUdpBlocked,
    Stats,
)
from bench.network.flow import Drop, Flow
from bench.network.nat import Nat
from bench.network.place import CLIENT, DEVICE, SERVER
from bench.network.shape import Shape

MAX_FLOWS = 262_144
BATCH = 64
LATE_BUCKETS = 1_000
MTU = 1_500
DEVICE_QUEUE = 10_000
"""Packets that wait between the kernel and the link."""
_COMMAND = msgspec.json.Decoder(Command)


class _Direction:
    """One way across: where packets go, what they meet, how they fared."""

    def __init__(self, to: int, up: bool, seed: int) -> None:
        self.to = to
        self.up = up
        self.shape = Shape()
        self.count = Count()
        self._random = Random(seed)
        self._flows: dict[bytes, Flow] = {}

    def flow(self, packet: bytes) -> Flow:
        key = ip.flow_of(packet)
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                del self._flows[next(iter(self._flows))]
            flow = self._flows[key] = Flow(self._random)
        return flow


class Link:
    """Both directions, the packets on their way, and the switches."""

    def __init__(self, client: int, server: int, control: socket.socket, seed: int) -> None:
        self._control = control
        self._up = _Direction(server, True, seed)
        self._down = _Direction(client, False, seed + 1)
        self._from = {client: self._up, server: self._down}
        self._waiting: list[tuple[float, int, bytes, _Direction]] = []
        self._order = 0
        self._nat = Nat()
        self._blackhole = False
        self._udp_blocked = False
        self._late = [0] * LATE_BUCKETS

    def run(self) -> None:
        """Carry packets until the control socket is closed."""
        inputs = [*self._from, self._control.fileno()]
        while True:
            timeout = None
            if self._waiting:
                timeout = max(0.0, self._waiting[0][0] - time.monotonic())
            for descriptor in select.select(inputs, [], [], timeout)[0]:
                if descriptor in self._from:
                    self._read(descriptor)
                elif not self._obey():
                    return
            self._let_go()

    def _read(self, descriptor: int) -> None:
        direction = self._from[descriptor]
        for _ in range(BATCH):
            try:
                packet = os.read(descriptor, MTU)
            except BlockingIOError:
                return
            if ip.is_ipv4(packet):
                self._take(packet, direction, time.monotonic())

    def _take(self, packet: bytes, direction: _Direction, now: float) -> None:
        count = direction.count
        count.packets += 1
        count.bytes += len(packet)
        inside: bytes | None = packet
        if direction.up:
            flow, packet = direction.flow(packet), self._nat.out(packet)
        elif (inside := self._nat.back(packet)) is not None:
            flow, packet = direction.flow(inside), inside
        udp = self._udp_blocked and ip.protocol(packet) == ip.UDP
        if inside is None or udp or (self._blackhole and direction.up):
            count.blocked += 1
            return
        due = flow.admit(len(packet), direction.shape, now)
        if due is Drop.LOST:
            count.lost += 1
        elif due is Drop.QUEUE:
            count.queue += 1
        else:
            self._order += 1
            heappush(self._waiting, (due, self._order, packet, direction))

    def _let_go(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            due, _, packet, direction = heappop(self._waiting)
            # The hole is at the client's end: what was on its way there falls into it too.
            if self._blackhole and not direction.up:
                direction.count.blocked += 1
                continue
            try:
                os.write(direction.to, packet)
            except OSError:  # The receiver's device is full, or going down.
                direction.count.queue += 1
                continue
            direction.count.arrived += 1
            now = time.monotonic()
            self._late[min(int((now - due) / LATE_STEP), LATE_BUCKETS - 1)] += 1

    def _obey(self) -> bool:
        """Do what was asked and answer; False when there is nobody left to ask."""
        data = self._control.recv(65_536)
        if not data:
            return False
        match _COMMAND.decode(data):
            case SetShapes(up, down):
                self._up.shape = up or self._up.shape
                self._down.shape = down or self._down.shape
            case SetBlackhole(on):
                self._blackhole = on
            case SetUdpBlocked(on):
                self._udp_blocked = on
            case Rebind(address):
                self._nat.rebind(socket.inet_aton(address))
            case AskStats():
                pass
        stats = Stats(self._up.count, self._down.count, self._late)
        self._control.send(msgspec.json.encode(stats))
        return True


def _namespace(address: str) -> tuple[int, int]:
    """A new namespace with a device: their descriptors."""
    namespace = kernel.new_namespace()
    device = kernel.open_tun(DEVICE)
    kernel.configure(DEVICE, address, DEVICE_QUEUE)
    return namespace, device


def main() -> None:
    """`python -m bench.network.link CONTROL SEED`: the descriptor of a socket, and a number."""
    control = socket.socket(fileno=int(sys.argv[1]))
    home = kernel.own_namespace()
    client, client_device = _namespace(CLIENT)
    server, server_device = _namespace(SERVER)
    link = Link(client_device, server_device, control, int(sys.argv[2]))
    control.send(msgspec.json.encode(Ready(client, server)))
    kernel.be_punctual()
    gc.disable()  # Nothing here makes cycles, and a pause would be somebody's jitter.
    link.run()
    kernel.enter_namespace(home)
    kernel.end_all((client, server))


if __name__ == "__main__":
    main()
