"""A flood of handshakes that nobody means: valid Initials from many addresses, over loopback only.

    python -m bench.load.flood PORT PER_SECOND SECONDS

Every packet is a whole ClientHello with connection IDs of its own, so the server cannot tell it
from a shopper's; no answer is read, so none of these handshakes is ever finished. Prints a line
when it begins, and how many packets it sent at the end.

What holds always: packets go to 127.0.0.1 and from 127.2.0.0/16 and nowhere else; MAX_PACKETS are
sent at most.
May import: engine, people's addresses.
"""

from __future__ import annotations

import socket
import sys
import time

from bench.load import engine, people

MAX_PACKETS = 50_000
"""Made before the first is sent, so that the sending costs next to nothing."""
SOCKETS = 256
FIRST_SOURCE = 64_000
"""Of the numbers that `people.source` makes addresses of: nobody else's."""
RECEIVE_BUFFER = 4_096
"""Bytes: answers pile up there and are dropped by the kernel."""


def initials(port: int, count: int) -> list[bytes]:
    """So many first packets, each of its own."""
    address = (people.HOST, port)
    return [engine.initial("localhost", address, time.monotonic()) for _ in range(count)]


def sockets(count: int) -> list[socket.socket]:
    """Sockets that send from as many addresses and never block."""
    made = []
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind((people.source(FIRST_SOURCE + number), 0))
        sock.setblocking(False)
        made.append(sock)
    return made


def pour(packets: list[bytes], port: int, per_second: float, sources: list[socket.socket]) -> int:
    """Send them at that rate, each from the next address; how many the kernel took."""
    started, sent = time.monotonic(), 0
    for number, packet in enumerate(packets):
        if (wait := started + number / per_second - time.monotonic()) > 0:
            time.sleep(wait)
        try:
            sent += bool(sources[number % len(sources)].sendto(packet, (people.HOST, port)))
        except BlockingIOError:
            continue
    return sent


def main(port: int, per_second: float, seconds: float) -> None:
    """See above."""
    packets = initials(port, min(MAX_PACKETS, int(per_second * seconds)))
    sources = sockets(SOCKETS)
    print("begins", flush=True)
    print(pour(packets, port, per_second, sources), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
