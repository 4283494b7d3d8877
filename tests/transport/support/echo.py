"""A minimal ASGI application, and the real server around any application, for tests below ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from transport.asgi import App, Message, Receive, Scope, Send
from transport.quic.dial import Http3Client, Trust, dial
from transport.serve import Listening, ServeConfig, serving
from transport.tls import Certificates


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """HTTP: says the version and the size of the body. Sessions: everything comes back."""
    if scope["type"] == "http":
        body = await read_body(receive)
        await respond(send, b"HTTP/%s, %d bytes" % (scope["http_version"].encode(), len(body)))
    elif scope["type"] == "websocket":
        await _websocket(receive, send)
    else:
        await _webtransport(receive, send)


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message["body"]
        if not message["more_body"]:
            return body


async def respond(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message["bytes"] == b"close":
            await send({"type": "websocket.close", "code": 4321})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def _webtransport(receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "webtransport.connect"
    await send({"type": "webtransport.accept"})
    while (message := await receive())["type"] != "webtransport.disconnect":
        if message["type"] == "webtransport.datagram.receive":
            await send({"type": "webtransport.datagram.send", "data": message["data"]})
        elif message["type"] == "webtransport.stream.receive":
            if not message["data"]:
                continue  # only the end of the stream
            if message["data"] == b"close":
                await send({"type": "webtransport.close", "code": 4321, "reason": "as asked"})
            else:
                await send(stream_send(message["stream"], message["data"]))


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait for something that tells nobody when it comes true."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def stream_send(stream: int, data: bytes) -> Message:
    return {"type": "webtransport.stream.send", "stream": stream, "data": data}


@asynccontextmanager
async def served(app: App, folder: Path, **settings: Any) -> AsyncIterator[Listening]:
    """The real server on free ports of 127.0.0.1."""
    config = ServeConfig(
        certificates=Certificates.development(folder),
        **{"host": "127.0.0.1", "port": 0, "grace": 0.2, **settings},
    )
    async with serving(app, config) as listening:
        yield listening


@asynccontextmanager
async def connected(listening: Listening) -> AsyncIterator[Http3Client]:
    """A client of it."""
    trust = Trust(hashes=frozenset(listening.certificates.hashes()))
    async with dial("127.0.0.1", listening.port, trust=trust) as client:
        yield client
