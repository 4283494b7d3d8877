"""A link against real sockets, with TLS and without, on both event loops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.transport.support.echo import until
from tests.transport.test_tcp import client_context
from transport.tcp.link import HIGH_WATER, Link
from transport.tls import Certificates

MUCH = bytes(range(256)) * 65_536
"""16 MiB: more than the kernel holds for a connection."""


@dataclass
class Told:
    """An owner that remembers."""

    data: bytearray = field(default_factory=bytearray)
    ends: int = 0

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self) -> None:
        self.ends += 1


@dataclass
class Ends:
    link: Link
    told: Told
    gone: list[Link]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


Maker = Callable[[], AbstractAsyncContextManager[Ends]]


@pytest.fixture(params=["plain", "tls"])
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    context = None
    if request.param == "tls":
        context = Certificates.development(tmp_path).ssl_context

    @asynccontextmanager
    async def make() -> AsyncIterator[Ends]:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                listener.setsockopt(socket.SOL_SOCKET, buffer, 65_536)
            dialling = asyncio.ensure_future(
                asyncio.open_connection(
                    "127.0.0.1",
                    listener.getsockname()[1],
                    ssl=client_context() if context else None,
                    limit=2 * len(MUCH),
                )
            )
            sock, peer = await loop.sock_accept(listener)
        if context is not None:
            sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        told, gone = Told(), []
        link = Link(loop, sock, peer, gone.append)
        link.owner = told
        reader, writer = await dialling
        await until(lambda: link.greeted)
        try:
            yield Ends(link, told, gone, reader, writer)
        finally:
            link.abort()
            writer.transport.abort()
            await asyncio.sleep(0)

    return make


async def test_bytes_both_ways_and_the_end(connected: Maker) -> None:
    async with connected() as ends:
        ends.writer.write(b"hello")
        await until(lambda: ends.told.data == b"hello")
        ends.link.write(b"good ")
        ends.link.write(b"day")
        assert await ends.reader.readexactly(8) == b"good day"
        assert ends.told.ends == 0
        ends.writer.close()
        await until(lambda: ends.told.ends == 1)
        assert not ends.gone
        ends.link.close()
        await until(lambda: ends.gone == [ends.link])
        assert ends.link.owner is None


async def test_what_the_kernel_does_not_take_is_kept_in_order(connected: Maker) -> None:
    async with connected() as ends:
        ends.writer.transport.pause_reading()
        for start in range(0, len(MUCH), 100_000):
            ends.link.write(MUCH[start : start + 100_000])
        assert ends.link.waiting > HIGH_WATER
        drained = asyncio.ensure_future(ends.link.drained())
        await asyncio.sleep(0.05)
        assert not drained.done()
        ends.writer.transport.resume_reading()
        assert await ends.reader.readexactly(len(MUCH)) == MUCH
        async with asyncio.timeout(5):
            await drained
        await until(lambda: ends.link.waiting == 0)
        ends.link.write(b"more")
        assert await ends.reader.readexactly(4) == b"more"


async def test_while_paused_the_peer_waits(connected: Maker) -> None:
    async with connected() as ends:
        ends.link.pause()
        ends.writer.write(MUCH)
        await asyncio.sleep(0.1)
        assert not ends.told.data
        ends.link.resume()
        await until(lambda: len(ends.told.data) == len(MUCH))
        assert ends.told.data == MUCH


async def test_close_sends_what_was_written(connected: Maker) -> None:
    async with connected() as ends:
        ends.link.write(MUCH)
        ends.link.close()
        ends.link.write(b"dropped")
        assert await ends.reader.read(-1) == MUCH
        assert not ends.gone or ends.gone == [ends.link]
        ends.writer.close()
        await until(lambda: ends.gone == [ends.link])
        assert ends.told.ends == 0


async def test_close_sends_the_rest_to_a_peer_that_half_closed() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    gone: list[Link] = []
    link = Link(loop, ours, ("", 0), gone.append)
    link.write(MUCH)
    link.close()
    theirs.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.02)
    got = bytearray()
    with theirs:
        async with asyncio.timeout(5):
            while data := await loop.sock_recv(theirs, 1_000_000):
                got += data
    assert got == MUCH
    await until(lambda: gone == [link])


@pytest.mark.parametrize("tls", [False, True])
async def test_unread_input_does_not_destroy_the_last_words(tmp_path: Path, tls: bool) -> None:
    """A socket closed with input unread resets the connection, and what was sent is lost."""
    certificates = Certificates.development(tmp_path)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    if tls:
        ours = certificates.ssl_context.wrap_socket(
            ours, server_side=True, do_handshake_on_connect=False
        )
    gone: list[Link] = []
    link = Link(asyncio.get_running_loop(), ours, ("", 0), gone.append)
    told = link.owner = Told()
    shaken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def client() -> bytes:
        with client_context().wrap_socket(theirs) if tls else theirs as sock:
            sock.settimeout(5)
            sock.sendall(b"first")
            loop.call_soon_threadsafe(shaken.set)
            sock.sendall(b"x" * 50_000)
            got = b""
            while data := sock.recv(65_536):
                got += data
            return got

    answer = asyncio.ensure_future(asyncio.to_thread(client))
    await shaken.wait()
    await until(lambda: bool(told.data))
    link.pause()
    await asyncio.sleep(0.05)
    link.write(b"last words")
    link.close()
    assert await answer == b"last words"
    await until(lambda: gone == [link])


async def test_close_has_a_deadline(connected: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.tcp.link.CLOSE_DEADLINE", 0.2)
    async with connected() as ends:
        ends.writer.transport.pause_reading()
        ends.link.write(MUCH)
        ends.link.close()
        assert not ends.gone
        await until(lambda: ends.gone == [ends.link])


async def test_abort_cuts_at_once(connected: Maker) -> None:
    async with connected() as ends:
        ends.link.write(MUCH)
        waiting = asyncio.ensure_future(ends.link.drained())
        await asyncio.sleep(0)
        ends.link.abort()
        assert ends.gone == [ends.link]
        await waiting
        ends.link.abort()
        ends.link.close()
        assert ends.gone == [ends.link]
        assert ends.told.ends == 0


async def test_a_reset_is_an_end(connected: Maker) -> None:
    async with connected() as ends:
        sock = ends.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends.writer.transport.abort()
        await until(lambda: ends.told.ends == 1)
        ends.link.write(b"nobody hears this")
        ends.link.close()
        await until(lambda: ends.gone == [ends.link])
        assert ends.told.ends == 1


async def test_a_broken_pipe_is_an_end(connected: Maker) -> None:
    async with connected() as ends:
        ends.link.pause()
        sock = ends.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends.writer.transport.abort()
        await asyncio.sleep(0.05)
        ends.link.write(b"x")
        assert ends.told.ends == 0  # Not in the middle of its owner's own call.
        await until(lambda: ends.told.ends == 1)
        assert ends.gone == [ends.link]


async def test_rubbish_for_a_handshake(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        context = Certificates.development(tmp_path).ssl_context
        wrapped = context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
        gone: list[Link] = []
        link = Link(loop, wrapped, ("", 0), gone.append)
        told = link.owner = Told()
        theirs.sendall(b"\x16\x03\x01\x00\x05hello")
        await asyncio.sleep(0.05)
        theirs.settimeout(1)
        assert theirs.recv(100)[:1] == b"\x15"  # an alert
        assert theirs.recv(100) == b""
    await until(lambda: gone == [link])
    assert (told.data, told.ends) == (b"", 0)
