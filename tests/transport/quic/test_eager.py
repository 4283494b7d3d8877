"""A WebTransport session that is spoken on before the server has answered, on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.transport.support.chat import Chat
from tests.transport.support.echo import connected, echo, served
from tests.transport.support.stack import Stack, running
from transport.asgi import Message, Receive, Scope, Send
from transport.client import Client, ClientStopped, Settings
from transport.errors import CloseCode
from transport.quic.aio.http3 import Http3
from transport.quic.dial import Closed, ConnectionLost, Datagram, Refused
from transport.session import TransportKind

PATIENCE = 10.0
WEBTRANSPORT, H1 = TransportKind.WEBTRANSPORT, TransportKind.WEBSOCKET_H1


async def good(fresh: bool) -> str:
    return "good"


def settings(stack: Stack, *kinds: TransportKind, **more: Any) -> Settings:
    return Settings(url=stack.url, transports=kinds, trust=stack.trust, **more)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running(tmp_path) as stack:
        yield stack


@pytest.fixture
def chat(stack: Stack) -> Chat:
    chat = Chat()
    stack.serve = chat.serve  # type: ignore[method-assign]
    return chat


@asynccontextmanager
async def heard_first(folder: Path, heard: list[Message], answer: Message) -> AsyncIterator[Any]:
    """A server that answers a session only when it has heard a datagram and stream bytes of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        while len(heard) < 2:
            heard.append(await receive())
        await send(answer)
        while (await receive())["type"] != "webtransport.disconnect":
            pass

    async with served(app, folder) as listening, connected(listening) as client:
        yield client


async def test_what_is_said_at_once_is_heard_before_the_answer(tmp_path: Path) -> None:
    heard: list[Message] = []
    async with (
        heard_first(tmp_path, heard, {"type": "webtransport.accept"}) as client,
        asyncio.timeout(PATIENCE),
    ):
        session = await client.begin_webtransport("/")
        session.send_stream(b"stream")
        assert session.send_datagram(b"datagram")
        await session.accepted()
    assert {message["data"] for message in heard} == {b"stream", b"datagram"}


async def test_who_has_spoken_can_still_be_refused(tmp_path: Path) -> None:
    refusal = {"type": "webtransport.close", "code": 0, "status": 404}
    async with heard_first(tmp_path, [], refusal) as client, asyncio.timeout(PATIENCE):
        session = await client.begin_webtransport("/")
        session.send_stream(b"stream")
        session.send_datagram(b"datagram")
        with pytest.raises(Refused) as refused:
            await session.accepted()
        assert refused.value.status == 404
        events = [await session.receive() for _ in range(2)]
        assert isinstance(events[-1], Closed)
        assert client.lost_with is None, "the connection lives on"


async def test_who_speaks_to_us_has_accepted(tmp_path: Path) -> None:
    """The response may be what the network lost."""
    async with heard_first(tmp_path, [], {}) as client, asyncio.timeout(PATIENCE):
        session = await client.begin_webtransport("/")
        session.put_datagram(b"welcome")
        await session.accepted()
        assert await session.receive() == Datagram(b"welcome")


async def test_a_server_without_sessions_is_not_asked_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Http3, "_get_local_settings", lambda _: {0x33: 1, 0x2B603742: 1})
    async with served(echo, tmp_path) as listening, connected(listening) as client:
        for ask in (client.begin_webtransport, client.open_websocket):
            with pytest.raises(ConnectionLost, match="no sessions"):
                await ask("/")


async def test_the_client_says_hello_with_its_request(stack: Stack, chat: Chat) -> None:
    conversation = uuid4()
    async with Client(settings(stack, WEBTRANSPORT), good) as one, asyncio.timeout(PATIENCE):
        accepted = await one.send(conversation, "message", {"text": "hello"})
        assert accepted.seq == 1
        assert one.transport is WEBTRANSPORT
    assert len(chat.hellos) == 1
    assert len(chat.logs[conversation]) == 1


async def test_a_refused_client_stops(stack: Stack) -> None:
    known = settings(stack, WEBTRANSPORT, origin="https://evil.example")
    async with Client(known, good) as one, asyncio.timeout(PATIENCE):
        with pytest.raises(ClientStopped) as stopped:
            await one.ready()
    assert stopped.value.code == CloseCode.FORBIDDEN
    assert stack.sessions.empty()


async def test_another_way_wins_while_the_request_is_not_answered(
    stack: Stack, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said on the first way and the second counts once, and the client goes on there."""
    answer, mute = Http3.send_headers, asyncio.Event()

    def send_headers(self: Http3, stream_id: int, headers: Any, end_stream: bool = False) -> None:
        if (b":status", b"200") in headers:
            mute.set()
            self.quic.send_datagram_frame = lambda data: None
            self.quic.send_stream_data = lambda *data: None
        else:
            answer(self, stream_id, headers, end_stream)

    monkeypatch.setattr(Http3, "send_headers", send_headers)
    conversation = uuid4()
    known = settings(stack, WEBTRANSPORT, H1, head_start=0.1)
    async with Client(known, good) as one, asyncio.timeout(PATIENCE):
        first = one.send(conversation, "message", {"text": "1"})
        assert (await first).seq == 1
        assert mute.is_set(), "the server got the request, and the client no answer"
        assert one.transport is H1
        assert (await one.send(conversation, "message", {"text": "2"})).seq == 2
    assert len(chat.hellos) == 2
    assert len(chat.logs[conversation]) == 2
