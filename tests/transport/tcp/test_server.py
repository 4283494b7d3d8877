"""The TCP side as strangers meet it: who says nothing, too much, rubbish, or just leaves."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from tests.conformance.session_suite import until_closed
from tests.transport.support.echo import respond, served, until
from tests.transport.support.stack import ORIGIN, Stack, running
from tests.transport.test_tcp import client_context
from transport.accept import Terms, accept
from transport.asgi import Receive, Scope, Send
from transport.errors import CloseCode
from transport.session import Session, TransportKind
from transport.tcp.frames import MAX_MESSAGE
from transport.tcp.http import HttpConnection
from transport.tcp.link import Link
from transport.wire import codec
from transport.wire.frames import VERSION, Hello

REQUEST = (
    b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
PATIENCE = 5.0


@pytest.fixture(autouse=True)
async def nobody_stays() -> AsyncIterator[None]:
    yield
    for raw in Raw.all:
        raw.writer.close()
        raw.writer.transport.abort()
    await asyncio.sleep(0)
    Raw.all.clear()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running(tmp_path) as stack:
        yield stack


class Raw:
    """A client that says what it likes."""

    all: ClassVar[list[Raw]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.all.append(self)

    async def rest(self) -> bytes:
        """All that still comes; nothing after a reset."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. None here is longer than 65,535 bytes."""
        async with asyncio.timeout(PATIENCE):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            return first & 15, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """The code of the Close frame, after whatever came before it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == Opcode.CLOSE:
                return int.from_bytes(payload[:2], "big")

    def say(self, opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> None:
        self.writer.write(WireFrame(opcode, payload, fin=fin).serialize(mask=True))

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def opened(stack: Stack, *, plain: bool = False) -> Raw:
    port = stack.listening.loopback_port if plain else stack.port
    context = None if plain else client_context()
    return Raw(*await asyncio.open_connection("127.0.0.1", port, ssl=context))


async def live(stack: Stack, *, plain: bool = False) -> tuple[Raw, Session]:
    """A WebSocket, and the server's session on it."""
    raw = await opened(stack, plain=plain)
    raw.writer.write(REQUEST)
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    async with asyncio.timeout(PATIENCE):
        return raw, await stack.sessions.get()


def count(stack: Stack, name: str) -> int:
    return stack.listening.stats()[name]


# First words.


@pytest.mark.parametrize("plain", [False, True])
async def test_a_request_in_pieces(stack: Stack, plain: bool) -> None:
    raw = await opened(stack, plain=plain)
    for start in range(0, len(REQUEST), 40):
        raw.writer.write(REQUEST[start : start + 40])
        await asyncio.sleep(0.002)
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    info = (await stack.sessions.get()).info
    assert info.transport is TransportKind.WEBSOCKET_H1
    assert info.secure is not plain
    assert info.peer == raw.writer.get_extra_info("sockname")
    raw.reset()


async def test_frames_beside_the_request(stack: Stack) -> None:
    raw = await opened(stack)
    hello = WireFrame(Opcode.BINARY, codec.encode(Hello(VERSION, "t"))).serialize(mask=True)
    ping = WireFrame(Opcode.PING, b"now").serialize(mask=True)
    raw.writer.write(REQUEST + ping + hello)
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    assert await raw.frame() == (Opcode.PONG, b"now")
    assert await (await stack.sessions.get()).receive() == Hello(VERSION, "t")
    raw.reset()


async def test_what_another_way_of_writing_leaves_to_hypercorn(stack: Stack) -> None:
    """The path is the same once it is decoded."""
    raw = await opened(stack)
    raw.writer.write(REQUEST.replace(b"/v1/live", b"/v1/l%69ve"))
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    session = await stack.sessions.get()
    assert session.info.transport is TransportKind.WEBSOCKET_H1
    raw.say(Opcode.BINARY, codec.encode(Hello(VERSION, "t")))
    assert await session.receive() == Hello(VERSION, "t")
    raw.reset()


async def test_a_session_on_a_connection_that_had_a_request_before(tmp_path: Path) -> None:
    sessions: asyncio.Queue[Session] = asyncio.Queue()

    async def serve(session: Session) -> None:
        sessions.put_nowait(session)
        await session.wait_closed()

    async def gate(scope: Scope) -> Terms:
        return Terms(lambda origin: True, serve)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, b"fine")
        else:
            await accept(scope, receive, send, gate)

    async with served(app, tmp_path, gate=gate) as listening:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", listening.port, ssl=client_context()))
        raw.writer.write(GET)
        async with asyncio.timeout(PATIENCE):
            await raw.reader.readuntil(b"0\r\n\r\n")
            raw.writer.write(REQUEST)
            assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
            raw.say(Opcode.BINARY, codec.encode(Hello(VERSION, "t")))
            assert await (await sessions.get()).receive() == Hello(VERSION, "t")
        raw.reset()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param((b"GET /v1/live", b"GET /v1/other"), b"404", id="another path"),
        pytest.param((b"Host:", b"Origin: https://evil.example\r\nHost:"), b"403", id="origin"),
        pytest.param((b"Version: 13", b"Version: 7"), b"4", id="another version"),
        pytest.param((b"Host: localhost\r\n", b""), b"400", id="no host"),
    ],
)
async def test_what_opens_nothing(stack: Stack, change: tuple[bytes, bytes], status: bytes) -> None:
    raw = await opened(stack)
    raw.writer.write(REQUEST.replace(*change))
    assert (await raw.head()).startswith(b"HTTP/1.1 " + status)
    assert stack.sessions.empty()
    raw.writer.close()
    await until(lambda: count(stack, "tcp_connections") == 0)


async def test_an_origin_that_may(stack: Stack) -> None:
    raw = await opened(stack)
    raw.writer.write(REQUEST.replace(b"Host:", b"Origin: %s\r\nHost:" % ORIGIN.encode()))
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    raw.reset()


@pytest.mark.parametrize("said", [None, b"", b"GET /v1/live HTTP/1.1\r\nHost: a\r\n", GET[:7]])
async def test_who_does_not_say_what_they_want(
    stack: Stack, said: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.tcp.greeting.GREETING_DEADLINE", 0.2)
    monkeypatch.setattr("transport.tcp.http.KEEP_ALIVE", 0.2)
    session, _ = await live(stack)
    if said is None:  # Not even a handshake.
        raw = Raw(*await asyncio.open_connection("127.0.0.1", stack.port))
    else:
        raw = await opened(stack)
        raw.writer.write(said)
    answer = await raw.rest()
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    raw.writer.close()
    await until(lambda: count(stack, "tcp_connections") == 1)
    assert count(stack, "tcp_greeting") == 0
    assert count(stack, "tcp_late") == (said != GET[:7])
    session.say(Opcode.PING, b"still here")
    assert await session.frame() == (Opcode.PONG, b"still here")
    session.reset()


async def test_too_long_a_request(stack: Stack) -> None:
    raw = await opened(stack)
    raw.writer.write(REQUEST[:-2] + b"x: " + b"y" * 70_000)
    assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")
    raw.writer.close()
    await until(lambda: count(stack, "tcp_connections") == 0)


@pytest.mark.parametrize(("fresh", "cut"), [(0.0, 0), (60.0, 2)])
async def test_a_full_lobby(
    stack: Stack, fresh: float, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest goes, unless that is young: then the new one."""
    monkeypatch.setattr("transport.tcp.greeting.MAX_GREETING", 2)
    monkeypatch.setattr("transport.tcp.greeting.FRESH", fresh)
    raws = []
    for number in range(3):
        raws.append(Raw(*await asyncio.open_connection("127.0.0.1", stack.port)))
        await until(lambda number=number: count(stack, "tcp_accepted") == number + 1)
    assert await raws.pop(cut).rest() == b""
    assert count(stack, "tcp_greeting") == 2
    assert count(stack, "tcp_late") == 1
    for raw in raws:
        raw.reset()
    await until(lambda: count(stack, "tcp_connections") == 0)


async def test_no_descriptors_left(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is accepted for a while; then it goes on, and who waited is served."""
    monkeypatch.setattr("transport.tcp.listener.ACCEPT_PAUSE", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.setblocking(False)
        free = os.dup(0)
        os.close(free)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", stack.listening.loopback_port))
            await loop.sock_sendall(client, REQUEST)
            await asyncio.sleep(0.05)
            assert count(stack, "tcp_accepted") == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with asyncio.timeout(PATIENCE):
            assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 101 ")


async def test_a_gate_that_raises(tmp_path: Path) -> None:
    async def gate(scope: Scope) -> Terms:
        raise ValueError("a bug")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"fine")

    async with served(app, tmp_path, gate=gate) as listening:
        for request in (REQUEST, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")):
            raw = Raw(
                *await asyncio.open_connection("127.0.0.1", listening.port, ssl=client_context())
            )
            raw.writer.write(request)
            answer = await raw.rest()
        assert b"fine" in answer
        assert listening.stats()["tcp_failed"] == 1


# On a WebSocket.


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x82\x05never", CloseCode.PROTOCOL_ERROR, id="no mask"),
        pytest.param(b"\xc2\x80aaaa", CloseCode.PROTOCOL_ERROR, id="reserved bits"),
        pytest.param(
            b"\x82\xff" + (MAX_MESSAGE + 1).to_bytes(8, "big"),
            CloseCode.FRAME_TOO_LARGE,
            id="too long",
        ),
    ],
)
async def test_bad_framing(stack: Stack, data: bytes, code: CloseCode) -> None:
    raw, session = await live(stack)
    raw.writer.write(data + b"and more of it")
    assert await raw.close_code() == code
    assert (await until_closed(session))[1].code == code
    assert await raw.rest() == b""
    raw.writer.close()
    await until(lambda: count(stack, "tcp_connections") == 0)


@pytest.mark.parametrize("plain", [False, True])
async def test_left_in_the_middle_of_a_frame(stack: Stack, plain: bool) -> None:
    raw, session = await live(stack, plain=plain)
    raw.writer.write(WireFrame(Opcode.BINARY, b"x" * 900).serialize(mask=True)[:500])
    await asyncio.sleep(0.02)
    raw.writer.close()
    _, closed = await until_closed(session)
    assert (closed.code, closed.remote) == (CloseCode.ABNORMAL, True)
    await until(lambda: count(stack, "tcp_connections") == 0)


async def test_a_reset(stack: Stack) -> None:
    raw, session = await live(stack)
    raw.reset()
    _, closed = await until_closed(session)
    assert closed.code == CloseCode.ABNORMAL
    await until(lambda: count(stack, "tcp_connections") == 0)


async def test_a_browser_that_goes_to_another_page(stack: Stack) -> None:
    raw, session = await live(stack)
    raw.say(Opcode.CLOSE, (1001).to_bytes(2, "big"))
    raw.say(Opcode.BINARY, b"not looked at")
    assert await raw.close_code() == 1001
    assert await raw.rest() == b""
    assert (await until_closed(session))[1].code == 1001


async def test_a_client_that_does_not_answer_a_close(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.shell.CLOSE_LINGER", 0.3)
    raw, session = await live(stack)
    raw.say(Opcode.BINARY, codec.encode(Hello(VERSION, "t")))
    await session.receive()
    session.close(CloseCode.OVERLOADED, "full")
    assert await raw.close_code() == CloseCode.OVERLOADED
    async with asyncio.timeout(PATIENCE):
        await session.wait_closed()
    await until(lambda: count(stack, "tcp_connections") == 0)


async def test_a_flood_of_pings_to_a_client_that_does_not_read(stack: Stack) -> None:
    """The answers do not pile up."""
    raw, session = await live(stack)
    raw.writer.transport.pause_reading()
    piece = WireFrame(Opcode.PING, bytes(125)).serialize(mask=True) * 1_000
    for _ in range(40):
        raw.writer.write(piece)
        await raw.writer.drain()
    link = session.carrier._link  # type: ignore[attr-defined]
    assert link.waiting <= 2 * 65_536
    assert not session.closed
    raw.reset()


async def test_pings_between_fragments(stack: Stack) -> None:
    raw, session = await live(stack)
    hello = codec.encode(Hello(VERSION, "t"))
    raw.say(Opcode.BINARY, hello[:3], fin=False)
    raw.say(Opcode.PING, b"?")
    assert await raw.frame() == (Opcode.PONG, b"?")
    raw.say(Opcode.CONT, hello[3:])
    assert await session.receive() == Hello(VERSION, "t")
    raw.reset()


# Plain requests.


async def test_who_leaves_between_two_requests_is_gone_at_once(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"fine")

    async with served(app, tmp_path) as listening:
        port = listening.port
        for alpn in ("http/1.1", "h2"):
            context = client_context(alpn)
            raw = Raw(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
            if alpn == "http/1.1":
                raw.writer.write(GET)
                assert (await raw.head()).startswith(b"HTTP/1.1 200 ")
            else:
                raw.writer.write(HTTP2)
                await raw.reader.readexactly(9)
            assert listening.stats()["tcp_connections"] == 1
            raw.writer.close()
            await until(lambda: listening.stats()["tcp_connections"] == 0, timeout=2.0)
            assert not listening.tcp._tasks


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_a_connection_that_ended_is_freed_without_a_collection(
    tmp_path: Path, alpn: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"fine")

    async with served(app, tmp_path) as listening:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                context = client_context(alpn)
                raw = Raw(*await asyncio.open_connection("127.0.0.1", listening.port, ssl=context))
                raw.writer.write(GET if alpn == "http/1.1" else HTTP2)
                await raw.reader.readexactly(9)
                raw.writer.close()
                await until(lambda: not listening.stats()["tcp_connections"])
                await until(lambda: not listening.tcp._tasks)
            await asyncio.sleep(0.01)
            left = [type(one) for one in gc.get_objects() if type(one) in (HttpConnection, Link)]
            assert not left
        finally:
            gc.enable()


async def test_an_idle_connection_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.tcp.http.KEEP_ALIVE", 0.2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.3)  # A request under way is not idle.
        await respond(send, b"fine")

    async with served(app, tmp_path) as listening:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", listening.port, ssl=client_context()))
        for _ in range(2):
            raw.writer.write(GET)
            assert (await raw.head()).startswith(b"HTTP/1.1 200 ")
            await raw.reader.readuntil(b"0\r\n\r\n")
        assert await raw.rest() == b""
        raw.writer.close()
        await until(lambda: listening.stats()["tcp_connections"] == 0)


async def test_who_takes_nothing_of_an_answer_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.tcp.http.STALL", 0.2)
    told = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sending = asyncio.ensure_future(pour(send))
        assert (await receive())["type"] == "http.disconnect"
        sending.cancel()
        told.set()

    async def pour(send: Send) -> None:
        while True:
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
            await asyncio.sleep(0)

    async with served(app, tmp_path) as listening:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", listening.port, ssl=client_context()))
        raw.writer.transport.pause_reading()
        raw.writer.write(GET)
        async with asyncio.timeout(PATIENCE):
            await told.wait()
        await until(lambda: listening.stats()["tcp_connections"] == 0)
        raw.reset()


async def test_leaving_closes_who_waits_and_cuts_who_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as stack:
        silent = Raw(*await asyncio.open_connection("127.0.0.1", stack.port))
        idle = await opened(stack)
        raw, session = await live(stack)
        await until(lambda: count(stack, "tcp_connections") == 3)
    assert session.closed
    for one in (silent, idle, raw):
        await one.rest()
        one.reset()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", stack.port)
