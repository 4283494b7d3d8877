"""Visitors by the thousand, over REST, as pages make them.

A server lets one address begin 60 sessions at once and one a second after that; here every 50 come
from another loopback address, which is what a crowd of shoppers looks like.
What holds always: a connection is kept for as long as its address is used.

    python -m bench.load.people PORT COUNT      waits for the server, then prints that many tokens

is for a server in a network namespace of its own. May import: nothing of Tradewind.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

import msgspec

PER_ADDRESS = 50
"""Visitors from one address."""
FIRST = int(IPv4Address("127.1.0.0"))
"""Where the addresses begin; 127.0.0.1 is left to everybody else."""
SHOP = "demo"
HOST = "127.0.0.1"
"""Where a server listens for plain HTTP."""


class HttpError(Exception):
    """Not 200."""


def source(number: int) -> str:
    """A loopback address for each number; the last byte is never 0 or 255."""
    return str(IPv4Address(FIRST + number // 250 * 256 + number % 250 + 1))


async def get(host: str, port: int, path: str) -> str:
    """The body of a GET. Raises HttpError, OSError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_head("GET", path, host, 0, last=True))
        return (await _answer(reader)).decode()
    finally:
        writer.close()
        await writer.wait_closed()


async def visitors(host: str, port: int, count: int, first_source: int = 0) -> AsyncIterator[str]:
    """Tokens of new visitors, one after the other. Raises HttpError, OSError."""
    body = msgspec.json.encode({"shop": SHOP})
    for start in range(0, count, PER_ADDRESS):
        address = source(first_source + start // PER_ADDRESS)
        reader, writer = await asyncio.open_connection(host, port, local_addr=(address, 0))
        try:
            for left in reversed(range(min(PER_ADDRESS, count - start))):
                head = _head("POST", "/v1/visitor/session", host, len(body), last=not left)
                writer.write(head + body)
                yield msgspec.json.decode(await _answer(reader))["token"]
        finally:
            writer.close()
            await writer.wait_closed()


async def sign_in(host: str, port: int, email: str, password: str) -> str:
    """The token of an agent. Raises HttpError, OSError."""
    body = msgspec.json.encode({"email": email, "password": password})
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_head("POST", "/v1/agent/session", host, len(body), last=True) + body)
        return str(msgspec.json.decode(await _answer(reader))["token"])
    finally:
        writer.close()
        await writer.wait_closed()


async def ready(host: str, port: int) -> None:
    """Wait until the server can accept messages."""
    while True:
        try:
            await get(host, port, "/readyz")
            return
        except (OSError, HttpError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.1)


def samples(text: str) -> dict[str, float]:
    """The samples of a Prometheus text."""
    rows = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in rows}


def _head(method: str, path: str, host: str, length: int, *, last: bool) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Connection: {'close' if last else 'keep-alive'}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = head.split(" ", 2)[1]
    length = next(
        int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")
    )
    body = await reader.readexactly(length)
    if status != "200":
        raise HttpError(f"{status}: {body[:200]!r}")
    return body


async def main(port: int, count: int) -> None:
    """See above."""
    await ready(HOST, port)
    async for token in visitors(HOST, port, count):
        print(token)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
