"""The ASGI scope "webtransport", driven by the Python client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aioquic.quic.events import StreamReset

from tests.transport.support.echo import connected, echo, served, stream_send, until
from transport.asgi import ABORT, Message, Receive, Scope, Send
from transport.quic import capsules, early, sessions
from transport.quic.aio.bounds import HIGH_WATER, STREAM_WINDOW
from transport.quic.dial import Closed, Datagram, Http3Client, Refused, StreamData, WebTransport
from transport.quic.pieces import Pieces


class Recorder:
    """An application that accepts, keeps what it receives, and sends what it is told."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Message] = asyncio.Queue()
        self.scope: Any = None
        self.send: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.send = scope, send
        await receive()
        await send({"type": "webtransport.accept"})
        while True:
            message = await receive()
            self.events.put_nowait(message)
            if message["type"] == "webtransport.disconnect":
                return

    async def next(self) -> Message:
        return await asyncio.wait_for(self.events.get(), 3)


@asynccontextmanager
async def session_with(
    app: Any, folder: Path
) -> AsyncIterator[tuple[Http3Client, WebTransport, Any]]:
    async with served(app, folder) as listening, connected(listening) as client:
        session = await client.open_webtransport("/v1/live?x=1", [(b"origin", b"https://a")])
        yield client, session, listening


async def receive(session: WebTransport) -> Any:
    return await asyncio.wait_for(session.receive(), 3)


async def test_stream_and_datagrams_come_back(tmp_path: Path) -> None:
    async with session_with(echo, tmp_path) as (_, session, _):
        session.send_stream(b"on the stream")
        assert await receive(session) == StreamData(b"on the stream", False)
        assert session.max_datagram_size == 1169
        assert session.send_datagram(bytes(1169))
        assert await receive(session) == Datagram(bytes(1169))
        assert not session.send_datagram(bytes(1170))


@pytest.mark.parametrize("protocol", [b"webtransport", b"webtransport-h3"])
async def test_both_names_of_the_protocol(tmp_path: Path, protocol: bytes) -> None:
    async with served(echo, tmp_path) as listening, connected(listening) as client:
        stream = client._open("CONNECT", "/v1/live", [], protocol=protocol)
        assert (await stream.head())[0] == 200


async def test_scope(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (_, _, listening):
        scope = recorder.scope
        assert (scope["type"], scope["http_version"]) == ("webtransport", "3")
        assert (scope["path"], scope["query_string"]) == ("/v1/live", b"x=1")
        assert (b"origin", b"https://a") in scope["headers"]
        assert scope["client"][0] == "127.0.0.1"
        assert scope["server"] == ("127.0.0.1", listening.port)
        assert scope["extensions"] == {"webtransport": {"max_datagram_size": 1169}}


async def test_close_by_the_client(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        session.send_stream(b"last words")
        session.close(1000, "bye")
        assert (await recorder.next())["data"] == b"last words"
        while (event := await recorder.next())["type"] == "webtransport.stream.receive":
            assert not event["more"]
        assert event == {"type": "webtransport.disconnect", "code": 1000, "reason": "bye"}
        assert await receive(session) == Closed(1000, "bye")
        # The connection lives on.
        await client.open_webtransport("/again")


async def test_close_by_the_server(tmp_path: Path) -> None:
    async with session_with(echo, tmp_path) as (_, session, _):
        session.send_stream(b"close")
        while isinstance(event := await receive(session), StreamData):
            assert event.ended
        assert event == Closed(4321, "as asked")


async def test_what_was_sent_before_the_close_arrives(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (_, session, _):
        session.send_stream(b"hello")
        stream = (await recorder.next())["stream"]
        await recorder.send(stream_send(stream, b"goodbye"))
        await recorder.send({"type": "webtransport.close", "code": 4000, "reason": ""})
        assert (await receive(session)).data == b"goodbye"
        assert await recorder.next() == {
            "type": "webtransport.disconnect",
            "code": 4000,
            "reason": "",
        }


@pytest.mark.parametrize("how", ["session", "connection"])
async def test_client_that_vanishes(tmp_path: Path, how: str) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        if how == "session":
            session.abort()
        else:
            client.close()
        assert (await recorder.next())["code"] == 1006
        assert await receive(session) == Closed(1006, "")


async def test_abort_cuts_the_session_only(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        recorder.scope["state"][ABORT]()
        assert await receive(session) == Closed(1006, "")
        assert (await recorder.next())["code"] == 1006
        assert client.lost_with is None


@pytest.mark.parametrize("status", [403, 429])
async def test_refused(tmp_path: Path, status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "webtransport.close", "code": 0, "status": status})

    with pytest.raises(Refused) as refused:
        async with session_with(app, tmp_path):
            pass
    assert refused.value.status == status


async def test_application_that_raises(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "webtransport.accept"})
        await receive()
        raise ValueError("a bug")

    async with session_with(app, tmp_path) as (_, session, _):
        session.send_datagram(b"x")
        assert await receive(session) == Closed(4003, "internal error")


async def test_other_streams_are_refused_and_too_many_close(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        h3: Any = client._h3
        resets = []
        handle = client.handle

        def noting(event: Any) -> None:
            if isinstance(event, StreamReset):
                resets.append(event)
            else:
                handle(event)

        client._peer.handler.handle = noting  # type: ignore[union-attr,method-assign]
        session.send_stream(b"first")
        assert (await recorder.next())["data"] == b"first"
        extra = h3.create_webtransport_stream(0)
        client.quic.send_stream_data(extra, b"second")
        uni = h3.create_webtransport_stream(0, is_unidirectional=True)
        client.quic.send_stream_data(uni, b"third")
        client.flush()
        await asyncio.sleep(0.1)
        assert [event.stream_id for event in resets] == [extra]
        assert capsules.from_http_code(resets[0].error_code) == 0
        for _ in range(1000):
            if client.quic.end is not None or session.closed:
                break
            stream = h3.create_webtransport_stream(0)
            client.quic.send_stream_data(stream, b"more")
            client.flush()
            await asyncio.sleep(0)
        while isinstance(event := await receive(session), StreamData):
            pass
        assert event == Closed(4200, "too many streams")


async def test_thousand_streams_cut_one_client_and_no_other(tmp_path: Path) -> None:
    async with (
        served(echo, tmp_path) as listening,
        connected(listening) as good,
        connected(listening) as bad,
    ):
        session = await good.open_webtransport("/")
        await bad.open_webtransport("/")
        bad.quic._remote_max_streams_bidi = 10_000
        for _ in range(1000):
            stream: Any = bad._h3
            bad.quic.send_stream_data(stream.create_webtransport_stream(0), b"x")
        bad.flush()
        await until(lambda: bad.lost_with is not None)
        session.send_stream(b"still here")
        assert (await receive(session)).data == b"still here"


async def test_stream_reset_carries_its_code(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        session.send_stream(b"x")
        stream = (await recorder.next())["stream"]
        assert session.stream_id == stream
        client.quic.reset_stream(stream, capsules.to_http_code(77))
        client.flush()
        event = await recorder.next()
        assert event == {"type": "webtransport.stream.reset", "stream": stream, "code": 77}


async def test_reset_by_the_application_carries_its_code(tmp_path: Path) -> None:
    recorder = Recorder()
    async with session_with(recorder, tmp_path) as (client, session, _):
        resets = asyncio.Queue[StreamReset]()
        handle = client.handle

        def noting(event: Any) -> None:
            if isinstance(event, StreamReset):
                resets.put_nowait(event)
            handle(event)

        client._peer.handler.handle = noting  # type: ignore[union-attr,method-assign]
        session.send_stream(b"x")
        stream = (await recorder.next())["stream"]
        await recorder.send({"type": "webtransport.stream.reset", "stream": stream, "code": 77})
        reset = await asyncio.wait_for(resets.get(), 3)
        assert (reset.stream_id, capsules.from_http_code(reset.error_code)) == (stream, 77)


async def test_flood_that_nobody_takes_closes_the_session(tmp_path: Path) -> None:
    go = asyncio.Event()
    last: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "webtransport.accept"})
        await go.wait()
        while True:
            last.append(await receive())
            if last[-1]["type"] == "webtransport.disconnect":
                return

    async with session_with(app, tmp_path) as (_, session, _):
        sent = 0
        async with asyncio.timeout(10):
            while session.closed is None:
                for _ in range(100):
                    session.send_datagram(b"x")
                sent += 100
                await asyncio.sleep(0.01)
        assert session.closed.code == 4205
        assert sent >= sessions.MAX_EVENTS
        go.set()
        await asyncio.sleep(0.05)
        assert last[-1]["code"] == 4205


async def test_stalled_reader_stops_the_writer_not_the_datagrams(tmp_path: Path) -> None:
    written = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal written
        await receive()
        await send({"type": "webtransport.accept"})
        stream = (await receive())["stream"]

        async def write() -> None:
            nonlocal written
            while True:
                await send(stream_send(stream, bytes(10_000)))
                written += 10_000

        writer = asyncio.create_task(write())
        while (message := await receive())["type"] == "webtransport.datagram.receive":
            await send({"type": "webtransport.datagram.send", "data": message["data"]})
        writer.cancel()

    async with session_with(app, tmp_path) as (_, session, _):
        session.send_stream(b"go")
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.1)
        assert 0 < written <= STREAM_WINDOW + HIGH_WATER + 20_000
        session._pieces = Pieces()
        session.send_datagram(b"ping")
        assert await receive(session) == Datagram(b"ping")


async def test_streams_and_datagrams_may_overtake_their_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    async with served(recorder, tmp_path) as listening, connected(listening) as client:
        h3: Any = client._h3
        await asyncio.sleep(0.05)
        # Stream 4 speaks for the session of stream 0, whose CONNECT is still to come.
        client.quic.send_stream_data(0, b"")
        h3.send_datagram(0, b"early datagram")
        stream = h3.open_session_stream(0)
        client.quic.send_stream_data(stream, b"early bytes")
        client.flush()
        await asyncio.sleep(0.1)
        assert recorder.events.empty()
        head = [
            (b":method", b"CONNECT"),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", b"/"),
            (b":protocol", b"webtransport"),
        ]
        h3.send_headers(0, head)
        client.flush()
        got = {(await recorder.next())["data"], (await recorder.next())["data"]}
        assert got == {b"early datagram", b"early bytes"}


async def test_stream_of_no_session_is_refused_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "TIMEOUT", 0.1)
    async with served(Recorder(), tmp_path) as listening, connected(listening) as client:
        h3: Any = client._h3
        client.quic.send_stream_data(0, b"")
        stream = h3.open_session_stream(0)
        client.quic.send_stream_data(stream, b"early bytes")
        client.flush()
        # STOP_SENDING resets our half.
        await until(lambda: not client.quic.can_send(stream))


async def test_hundred_sessions_leave_nothing_behind(tmp_path: Path) -> None:
    async with served(echo, tmp_path) as listening, connected(listening) as client:
        for number in range(100):
            session = await client.open_webtransport("/")
            session.send_stream(b"x")
            assert (await receive(session)).data == b"x"
            session.close(number)
        await asyncio.sleep(0.1)
        server = next(iter(listening.endpoint._servers.values()))
        assert server.h3.streams_kept <= 6
        assert not server._carriers
        assert not server._sessions
        assert not server.quic._held
        assert server.running == 0
