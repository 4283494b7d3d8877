"""What hedging buys, computed: both ends' real machines over a simulated path, without a clock.

`python -m bench.lane_sim` prints a table. The stream is QUIC's in short: whole and in order, a lost
piece comes one recovery later (RFC 9002: 9/8 of a round trip after the next packet would have been
acknowledged) and holds back what follows. Every packet is lost by the dice of its direction alone;
reports travel, and get lost, like everything else.

What holds always: the same seed gives the same figures.
May import: transport.wire.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from transport.wire import codec, varint
from transport.wire.frames import Deliver, Frame, Hello, Send, Welcome
from transport.wire.lane import Packet, Via
from transport.wire.machine import Machine, Role

ONE_WAY = 0.1
JITTER = 0.01
EVERY = 0.1
"""Seconds between two messages of one side."""
RECOVERY = 9 / 8 * (2 * ONE_WAY + JITTER)
OVERHEAD = 28 + 45
"""Bytes that IPv4, UDP, QUIC and HTTP/3 put around a datagram or a stream frame."""
ID = UUID(int=7)
TEXT = codec.pack({"text": "Where is my order? It was due on Monday."})

Dice = Callable[[], bool]
"""Whether the next packet is lost."""


def no_loss(_random: random.Random) -> Dice:
    return lambda: False


def random_loss(share: float) -> Callable[[random.Random], Dice]:
    """Each packet by itself."""
    return lambda dice: lambda: dice.random() < share


def bursts(share: float, mean: float) -> Callable[[random.Random], Dice]:
    """Gilbert's two states: in the bad one, left with probability 1 / mean, all is lost."""

    def make(dice: random.Random) -> Dice:
        bad = False

        def lost() -> bool:
            nonlocal bad
            bad = dice.random() < (1 - 1 / mean if bad else share / (1 - share) / mean)
            return bad

        return lost

    return make


class Way:
    """One direction of the path, into the machine at its end."""

    def __init__(self, end: Machine, dice: random.Random, lost: Dice, *, deaf: bool) -> None:
        self.end = end
        self.bytes = 0
        self._flying: list[tuple[float, int, Packet]] = []
        """A heap of (when it arrives, in which order it left, what)."""
        self._again: list[tuple[float, int, Packet]] = []
        """A heap of the stream's pieces to send once more."""
        self._dice = dice
        self._lost = lost
        self._deaf = deaf
        self._count = 0
        self._stream: dict[int, Packet | None] = {}
        """The pieces of the stream that were sent and not handed up; None: not there yet."""

    def send(self, packet: Packet, now: float) -> None:
        self._count += 1
        if packet.via is Via.STREAM:
            self._stream[self._count] = None
        elif self._deaf and _is_report(packet.data):
            return
        self._fly(packet, self._count, now)

    def next_time(self) -> float:
        return min(heap[0][0] if heap else float("inf") for heap in (self._flying, self._again))

    def land(self, now: float) -> list[Frame]:
        """Let come what comes at `now`: the frames that the machine hands up."""
        frames: list[Frame] = []
        while self._again and self._again[0][0] <= now:
            _, count, packet = heapq.heappop(self._again)
            self._fly(packet, count, now)
        while self._flying and self._flying[0][0] <= now:
            _, count, packet = heapq.heappop(self._flying)
            if packet.via is Via.DATAGRAM:
                frames += self.end.receive(packet.via, packet.data, now)
            else:
                self._stream[count] = packet
                frames += self._read_stream(now)
        return frames

    def _fly(self, packet: Packet, count: int, now: float) -> None:
        self.bytes += len(packet.data) + OVERHEAD
        at = now + ONE_WAY + self._dice.random() * JITTER
        if not self._lost():
            heapq.heappush(self._flying, (at, count, packet))
        elif packet.via is Via.STREAM:
            heapq.heappush(self._again, (now + RECOVERY, count, packet))

    def _read_stream(self, now: float) -> list[Frame]:
        frames: list[Frame] = []
        for count, packet in list(self._stream.items()):
            if packet is None:
                break
            del self._stream[count]
            frames += self.end.receive(packet.via, packet.data, now)
        return frames


class Outcome(NamedTuple):
    """Delays in seconds, sorted, of the messages of both directions, and what they cost."""

    delays: Sequence[float]
    copies: float
    """Copies of a message, the stream's included, over the second half of the run."""
    bytes: float
    """Bytes on the network for each message, over the whole run."""

    def quantile(self, share: float) -> float:
        return self.delays[min(len(self.delays) - 1, int(share * len(self.delays)))]


def simulate(
    loss: Callable[[random.Random], Dice],
    messages: int,
    seed: int,
    *,
    hedge: bool = True,
    adapt: bool = True,
) -> Outcome:
    """Let both sides send `messages`. Without `adapt` no report arrives: the plan stays as at the
    start. Without `hedge` all goes by the stream alone."""
    dice = random.Random(seed)
    client = Machine(Role.CLIENT, 0.0, max_datagram=1169)
    server = Machine(Role.SERVER, 0.0, max_datagram=1169)
    ways = {
        client: Way(server, dice, loss(dice), deaf=not adapt),
        server: Way(client, dice, loss(dice), deaf=not adapt),
    }
    started = {client: 1.0, server: 1.0 + EVERY / 2}
    count = {client: 0, server: 0}
    settled = {client: 0, server: 0}
    delays: list[float] = []
    client.send(Hello(1, "token"), 0.0, hedge=hedge)
    now = 0.0
    while len(delays) < 2 * messages:
        for machine, way in ways.items():
            while count[machine] < messages and now >= started[machine] + count[machine] * EVERY:
                count[machine] += 1
                machine.send(_message(machine.role, count[machine]), now, hedge=hedge)
                if count[machine] == messages // 2:
                    settled[machine] = machine.counters.copies_sent
            for packet in machine.poll(now):
                way.send(packet, now)
        for machine, way in ways.items():
            for frame in way.land(now):
                if isinstance(frame, Hello):
                    server.send(Welcome(1, ID, "v:1", 0, 25_000), now, hedge=hedge)
                elif isinstance(frame, Send | Deliver):
                    left = started[machine] + (frame.client_id.int - 1) * EVERY
                    delays.append(now - left)
        times = [way.next_time() for way in ways.values()]
        times += [machine.next_timer() or 0.0 for machine in ways]
        times += [started[m] + n * EVERY for m, n in count.items() if n < messages]
        now = max(now, min(times))
    copies = sum(machine.counters.copies_sent - settled[machine] for machine in ways)
    return Outcome(
        sorted(delays),
        1 + copies / messages,
        sum(way.bytes for way in ways.values()) / (2 * messages),
    )


def _message(role: Role, number: int) -> Frame:
    if role is Role.CLIENT:
        return Send(UUID(int=number), ID, "message", TEXT)
    return Deliver(ID, 1, number, "a:1", UUID(int=number), "message", TEXT, 0)


def _is_report(datagram: bytes) -> bool:
    seq = varint.decode(datagram, 0)
    assert seq is not None
    # An ephemeral frame (number and back are 0) that is an array of six, the first being 16.
    return datagram[seq[1] : seq[1] + 4] == b"\x00\x00\x96\x10"


PATHS: dict[str, Callable[[random.Random], Dice]] = {
    "clean": no_loss,
    "1 % random": random_loss(0.01),
    "3 % random": random_loss(0.03),
    "10 % random": random_loss(0.1),
    "5 % in bursts of 2.5": bursts(0.05, 2.5),
    "5 % in bursts of 5": bursts(0.05, 5),
}
LANES: dict[str, tuple[bool, bool]] = {
    "stream only": (False, True),
    "fixed": (True, False),
    "adaptive": (True, True),
}


def main(messages: int = 10_000, seed: int = 1) -> None:
    """Print the table."""
    print(f"one way {ONE_WAY * 1000:.0f} ms + up to {JITTER * 1000:.0f} ms, ", end="")
    print(f"2 x {messages} messages, one every {EVERY * 1000:.0f} ms, seed {seed}; delays in ms\n")
    print("| loss | lane | mean | p50 | p99 | p99.9 | copies | bytes/message |")
    print("|---|---|---|---|---|---|---|---|")
    for name, loss in PATHS.items():
        for lane, (hedge, adapt) in LANES.items():
            out = simulate(loss, messages, seed, hedge=hedge, adapt=adapt)
            mean = sum(out.delays) / len(out.delays)
            times = (mean, out.quantile(0.5), out.quantile(0.99), out.quantile(0.999))
            row = " | ".join(f"{value * 1000:.0f}" for value in times)
            print(f"| {name} | {lane} | {row} | {out.copies:.2f} | {out.bytes:.0f} |")


if __name__ == "__main__":
    main()
