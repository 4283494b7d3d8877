"""The TCP side and the way to serve: real sockets, real TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import websockets

from tests.transport.support.echo import echo, read_body, respond, served, until
from transport.asgi import ABORT, Receive, Scope, Send
from transport.quic.dial import Trust, dial
from transport.serve import Listening


def client_context(*alpn: str, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = highest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    async with served(echo, tmp_path, loopback_port=0) as listening:
        yield listening


async def ask(port: int, request: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Send bytes; all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


GET = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def test_http_1_announces_http_3(listening: Listening) -> None:
    answer = await ask(listening.port, GET, client_context("http/1.1"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1, 0 bytes" in answer
    assert b'alt-svc: h3=":%d"; ma=' % listening.port in answer.lower()
    assert b"\nserver:" not in answer.lower()


async def test_loopback_is_plain_and_announces_nothing(listening: Listening) -> None:
    assert listening.loopback_port is not None
    answer = await ask(listening.loopback_port, GET)
    assert b"HTTP/1.1, 0 bytes" in answer
    assert b"alt-svc" not in answer.lower()


async def test_http_2(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", listening.port, ssl=client_context("h2", "http/1.1")
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    head = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]
    connection.send_headers(1, head, end_stream=True)
    writer.write(connection.data_to_send())
    headers, body = {}, b""
    async with asyncio.timeout(5):
        while not body:
            for event in connection.receive_data(await reader.read(65_536)):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
    assert headers[":status"] == "200"
    assert "h3=" in headers["alt-svc"]
    assert body == b"HTTP/2, 0 bytes"
    writer.close()
    await writer.wait_closed()


async def test_tls_1_2_is_refused_and_is_no_error_of_ours(
    listening: Listening, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    old = client_context(highest=ssl.TLSVersion.TLSv1_2)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection("127.0.0.1", listening.port, ssl=old)
    await asyncio.sleep(0.05)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    assert "error" not in capsys.readouterr().out
    assert (await ask(listening.port, GET, client_context())).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01garbage", b"GET / HTTP/1.1\r\n\r\n"])
async def test_no_tls_at_all(
    listening: Listening, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    assert (await ask(listening.port, GET, client_context())).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    ],
)
async def test_bad_http_hurts_its_own_connection(listening: Listening, data: bytes) -> None:
    assert listening.loopback_port is not None
    answer = await ask(listening.loopback_port, data)
    assert b" 200 " not in answer[:20]
    assert (await ask(listening.port, GET, client_context())).startswith(b"HTTP/1.1 200")
    await until(lambda: listening.stats()["tcp_connections"] == 0)


async def test_websocket_is_not_compressed_and_closes_with_codes(listening: Listening) -> None:
    url = f"wss://127.0.0.1:{listening.port}/"
    async with websockets.connect(url, ssl=client_context("http/1.1")) as client:
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers
        await client.send(b"hello")
        assert await client.recv() == b"hello"
        await client.send(b"close")
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()
        assert client.close_code == 4321
    await until(lambda: listening.stats()["tcp_connections"] == 0)


async def test_abort_cuts_the_connection(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        scope["state"][ABORT]()
        assert (await receive())["type"] == "websocket.disconnect"

    async with served(app, tmp_path) as listening:
        url = f"wss://127.0.0.1:{listening.port}/"
        async with websockets.connect(url, ssl=client_context()) as client:
            await client.send(b"x")
            with pytest.raises(websockets.ConnectionClosed):
                await client.recv()
            assert client.close_code == 1006


async def test_over_the_cap_a_connection_is_closed(tmp_path: Path) -> None:
    async with served(echo, tmp_path, max_tcp_connections=1) as listening:
        url = f"wss://127.0.0.1:{listening.port}/"
        async with websockets.connect(url, ssl=client_context()) as client:
            with pytest.raises((OSError, AssertionError)):
                assert await ask(listening.port, GET, client_context())
            await client.send(b"still here")
            assert await client.recv() == b"still here"
        assert listening.stats()["tcp_refused"] == 1


async def test_application_that_raises(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("a bug")

    async with served(app, tmp_path) as listening:
        for _ in range(2):
            answer = await ask(listening.port, GET, client_context())
            assert answer.startswith(b"HTTP/1.1 500")


async def test_data_after_the_answer_on_http_2(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"no need to read")

    async with served(app, tmp_path) as listening:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", listening.port, ssl=client_context("h2")
        )
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
        connection.send_headers(1, head)
        writer.write(connection.data_to_send())
        await asyncio.sleep(0.1)
        connection.send_data(1, b"late")
        connection.send_headers(3, head, end_stream=True)
        writer.write(connection.data_to_send())
        answered = set()
        async with asyncio.timeout(5):
            while answered != {1, 3}:
                for event in connection.receive_data(await reader.read(65_536)):
                    if isinstance(event, h2.events.ResponseReceived):
                        answered.add(event.stream_id)
        writer.close()


async def test_close_takes_a_bounded_time(tmp_path: Path) -> None:
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:  # to a client that reads nothing
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        finally:
            cancelled.set()

    async with served(app, tmp_path, grace=0.2) as listening:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", listening.port, ssl=client_context(), limit=1024
        )
        writer.write(GET)
        await reader.read(1)
        start = time.monotonic()
    assert time.monotonic() - start < 1.5
    assert cancelled.is_set()
    writer.transport.abort()


async def test_close_lets_a_request_finish(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await asyncio.sleep(0.2)
        await respond(send, await read_body(receive))

    async with served(app, tmp_path, grace=2.0) as listening:
        answer = asyncio.create_task(ask(listening.port, GET, client_context()))
        await started.wait()
        start = time.monotonic()
    assert (await answer).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - start < 1.5


async def test_one_port_number_for_both(listening: Listening) -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe, pytest.raises(OSError):
            probe.bind(("127.0.0.1", listening.port))


async def test_taken_port_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with served(echo, tmp_path, port=port):
                pass


async def test_error_of_the_caller_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with served(echo, tmp_path):
            _ = 1 / 0


async def test_every_address_by_default(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, scope["client"][0].encode())

    async with served(app, tmp_path, host=None) as listening:
        hosts: list[Any] = ["127.0.0.1"]
        if listening.host == "::":
            hosts.append("::1")
        for host in hosts:
            _, writer = await asyncio.open_connection(host, listening.port, ssl=client_context())
            writer.close()
            await writer.wait_closed()
            trust = Trust(hashes=frozenset(listening.certificates.hashes()))
            async with dial(host, listening.port, trust=trust) as client:
                assert (await client.request("GET", "/")).body == host.encode()
