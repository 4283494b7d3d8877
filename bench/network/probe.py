"""Ends of a measurement of the link itself: `python -m bench.network.probe …` in a place.

    receive PORT            counts what comes by UDP until a line on standard input; prints JSON
    send HOST PORT FLOWS COUNT GAP    COUNT packets from each of FLOWS ports, one every GAP seconds
    drain PORT              swallows one TCP connection; prints bytes and seconds as JSON
    pour HOST PORT SECONDS  fills a TCP connection

What a packet carries: its flow, its number, and when it was sent.
May import: kernel.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable

from bench.network.kernel import be_punctual

_HEAD = struct.Struct("!HIQ")
CHUNK = bytes(65_536)


def receive(port: str) -> None:
    """Print [flow, number, delay in ns] of every packet, in the order in which they came."""
    seen: list[tuple[int, int, int]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        udp.bind(("", int(port)))
        print("ready", flush=True)
        while sys.stdin not in (ready := select.select([udp, sys.stdin], [], [])[0]):
            if udp in ready:
                flow, number, sent = _HEAD.unpack(udp.recv(2_048))
                seen.append((flow, number, time.monotonic_ns() - sent))
    json.dump(seen, sys.stdout)


def send(host: str, port: str, flows: str, count: str, gap: str) -> None:
    """Send, evenly spaced: the flows take turns."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(flows))]
    for udp in sockets:
        udp.connect((host, int(port)))
    due = time.monotonic()
    for number in range(int(count)):
        for flow, udp in enumerate(sockets):
            due += float(gap)
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            udp.send(_HEAD.pack(flow, number, time.monotonic_ns()))
    for udp in sockets:
        udp.close()


def drain(port: str) -> None:
    """Swallow."""
    with socket.create_server(("", int(port))) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        total, started = 0, time.monotonic()
        while data := connection.recv(1 << 20):
            total += len(data)
        took = time.monotonic() - started
        connection.close()
    json.dump((total, took), sys.stdout)


def pour(host: str, port: str, seconds: str) -> None:
    """Fill."""
    with socket.create_connection((host, int(port))) as connection:
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            connection.sendall(CHUNK)


_VERBS: dict[str, Callable[..., None]] = {
    "receive": receive,
    "send": send,
    "drain": drain,
    "pour": pour,
}

if __name__ == "__main__":
    be_punctual()  # It is the link that is measured, not the wait for a core.
    _VERBS[sys.argv[1]](*sys.argv[2:])
