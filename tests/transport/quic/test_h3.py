"""HTTP and WebSocket over HTTP/3, with an independent client and with clients without manners."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from aioquic.h3.connection import FrameType, encode_frame
from wsproto.connection import Connection as WebSocket
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection

from tests.transport.support.echo import connected, echo, read_body, respond, served
from transport.asgi import ABORT, Receive, Scope, Send
from transport.quic import exchange
from transport.quic.aio.bounds import HIGH_WATER, STREAM_WINDOW
from transport.quic.dial import ConnectionLost, Refused
from transport.quic.exchange import MAX_BODY
from transport.quic.h3 import MAX_REQUESTS


async def test_independent_client_fetches_a_page(tmp_path: Path) -> None:
    gtlsclient = shutil.which("gtlsclient")
    assert gtlsclient, "install Debian's ngtcp2-client"
    pages = tmp_path / "pages"
    pages.mkdir()
    async with served(echo, tmp_path / "certificates") as listening:
        process = await asyncio.create_subprocess_exec(
            gtlsclient,
            *("--quiet", "--no-quic-dump", "--exit-on-all-streams-close"),
            *("--download", str(pages), "127.0.0.1", str(listening.port)),
            f"https://localhost:{listening.port}/page",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert (pages / "page").read_bytes() == b"HTTP/3, 0 bytes"


async def test_body_goes_in_and_out(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, await read_body(receive))

    body = bytes(range(256)) * 4096
    async with served(app, tmp_path) as listening, connected(listening) as client:
        response = await client.request("POST", "/", body=body)
        assert response.body == body


async def test_data_after_the_answer_does_no_harm(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"no need to read")

    async with served(app, tmp_path) as listening, connected(listening) as client:
        stream = client._open("POST", "/", [])
        sender: Any = client.quic._streams[stream.id].sender
        sender.reset = lambda error_code: None  # a client that does not heed STOP_SENDING
        assert (await stream.head())[0] == 200
        for _ in range(10):
            client.quic.send_stream_data(stream.id, encode_frame(FrameType.DATA, bytes(1000)))
            client.flush()
            await asyncio.sleep(0.005)
        assert await stream.receive() == b"no need to read"
        assert (await client.request("GET", "/")).status == 200


@pytest.mark.parametrize("announced", [True, False])
async def test_body_over_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY", 100_000)
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    length = [(b"content-length", b"300000")] if announced else []
    async with served(app, tmp_path) as listening, connected(listening) as client:
        stream = client._open("POST", "/", length)
        stream.send(bytes(300_000 if not announced else 10))
        assert (await stream.head())[0] == 413
        if not announced:
            await asyncio.wait_for(ended.wait(), 2)
    assert MAX_BODY == 16_777_216


async def test_slow_application_stops_its_stream_only(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await go.wait()
        await respond(send, b"%d" % len(await read_body(receive)))

    size = STREAM_WINDOW * 6
    async with served(app, tmp_path) as listening, connected(listening) as client:
        slow = client._open("POST", "/slow", [])
        slow.send(bytes(size), end=True)
        for _ in range(3):
            assert (await client.request("POST", "/", body=bytes(size))).body == b"%d" % size
        assert slow.unacked >= size - STREAM_WINDOW - 9 * exchange.CHUNK
        go.set()
        assert await slow.receive() == b"%d" % size


async def test_stalled_reader_stops_its_writer_only(tmp_path: Path) -> None:
    written = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal written
        if scope["path"] != "/endless":
            await respond(send, b"fine")
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(50_000), "more_body": True})
            written += 50_000

    async with served(app, tmp_path) as listening, connected(listening) as client:
        stalled = client._open("GET", "/endless", [], end=True)
        await stalled.head()  # and then it reads nothing
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.1)
        assert 0 < written <= STREAM_WINDOW + HIGH_WATER + 2 * exchange.CHUNK
        assert (await client.request("GET", "/")).body == b"fine"


async def test_client_that_gives_up_is_a_disconnect(tmp_path: Path) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            await seen.put(message["type"])
        await seen.put(message["type"])

    async with served(app, tmp_path) as listening, connected(listening) as client:
        stream = client._open("GET", "/", [], end=True)
        assert await seen.get() == "http.request"
        stream.abort()
        assert await asyncio.wait_for(seen.get(), 2) == "http.disconnect"


async def test_application_that_stays_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "DISCONNECT_GRACE", 0.1)
    cancelled, called = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served(app, tmp_path) as listening, connected(listening) as client:
        stream = client._open("GET", "/", [], end=True)
        await called.wait()
        stream.abort()
        await asyncio.wait_for(cancelled.wait(), 2)
        await asyncio.sleep(0)
        assert listening.stats()["quic_requests"] == 0


async def test_too_many_requests_are_rejected(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await respond(send, b"done")

    async with served(app, tmp_path) as listening, connected(listening) as client:
        many = [client._open("GET", "/", [], end=True) for _ in range(MAX_REQUESTS)]
        with pytest.raises(ConnectionLost):
            await client.request("GET", "/")
        go.set()
        for stream in many:
            assert (await stream.head())[0] == 200


async def test_application_that_raises(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/midway":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("a bug")

    async with served(app, tmp_path) as listening, connected(listening) as client:
        assert (await client.request("GET", "/")).status == 500
        with pytest.raises(ConnectionLost):
            await client.request("GET", "/midway")


async def test_abort_cuts_the_stream_only(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/cut":
            scope["state"][ABORT]()
        await respond(send, b"fine")

    async with served(app, tmp_path) as listening, connected(listening) as client:
        with pytest.raises(ConnectionLost):
            await client.request("GET", "/cut")
        assert (await client.request("GET", "/")).body == b"fine"


async def test_other_connect_is_not_implemented(tmp_path: Path) -> None:
    async with served(echo, tmp_path) as listening, connected(listening) as client:
        for protocol in (None, b"connect-udp"):
            stream = client._open("CONNECT", "/", [], protocol=protocol)
            assert (await stream.head())[0] == 501


@pytest.mark.parametrize("path", ["", "no-slash", "/\u00e9"])
async def test_malformed_path_resets_the_stream(tmp_path: Path, path: str) -> None:
    async with served(echo, tmp_path) as listening, connected(listening) as client:
        with pytest.raises(ConnectionLost):
            await client.request("GET", path)
        assert client.lost_with is None or path == ""


class TestWebSocket:
    """RFC 9220."""

    async def _open(self, client: Any) -> tuple[Any, WebSocket]:
        offer = [(b"sec-websocket-extensions", b"permessage-deflate")]
        return await client.open_websocket("/", offer), WebSocket(ConnectionType.CLIENT)

    async def _next(self, socket: Any, codec: WebSocket) -> Any:
        codec.receive_data(await asyncio.wait_for(socket.receive(), 2) or None)
        return next(codec.events())

    async def test_echo_and_close_by_the_client(self, tmp_path: Path) -> None:
        codes: list[int] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["http_version"] == "3"
            assert scope["type"] == "websocket"

            async def noting() -> Any:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    codes.append(message["code"])
                return message

            await echo(scope, noting, send)

        async with served(app, tmp_path) as listening, connected(listening) as client:
            socket, codec = await self._open(client)
            socket.send(codec.send(BytesMessage(data=b"hello")))
            assert (await self._next(socket, codec)).data == b"hello"
            socket.send(codec.send(CloseConnection(code=4200)))
            assert (await self._next(socket, codec)).code == 4200
            assert await asyncio.wait_for(socket.receive(), 2) == b""
            assert codes == [4200]

    async def test_close_by_the_server(self, tmp_path: Path) -> None:
        async with served(echo, tmp_path) as listening, connected(listening) as client:
            socket, codec = await self._open(client)
            socket.send(codec.send(BytesMessage(data=b"close")))
            assert (await self._next(socket, codec)).code == 4321
            assert await asyncio.wait_for(socket.receive(), 2) == b""

    @pytest.mark.parametrize("how", ["end", "abort"])
    async def test_cut_is_a_disconnect(self, tmp_path: Path, how: str) -> None:
        codes: asyncio.Queue[int] = asyncio.Queue()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await codes.put((await receive())["code"])

        async with served(app, tmp_path) as listening, connected(listening) as client:
            socket, _ = await self._open(client)
            getattr(socket, how)()
            assert await asyncio.wait_for(codes.get(), 2) == 1006

    async def test_refused(self, tmp_path: Path) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.close"})

        async with served(app, tmp_path) as listening, connected(listening) as client:
            with pytest.raises(Refused) as refused:
                await self._open(client)
            assert refused.value.status == 403
