"""A link for ever: UDP blocked and free again, listeners that go and come, links half open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.transport.links.support import HOST, PATIENCE, Deployment, listening, take
from tests.transport.support.road import Road, road
from transport.errors import CloseCode, SessionClosed
from transport.links.base import Link, Message, Way
from transport.links.credentials import Credentials
from transport.links.dial import Target
from transport.links.dialler import Dialler


class Life:
    """A dialler's, as it tells of it."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Link | None] = asyncio.Queue()
        self.serving = 0
        self.dialler: Dialler

    async def serve(self, link: Link) -> None:
        self.serving += 1
        assert self.serving == 1, "one at a time"
        try:
            await link.wait_closed()
        finally:
            self.serving -= 1

    async def up(self) -> Link:
        """The next link."""
        async with asyncio.timeout(PATIENCE):
            while (link := await self.told.get()) is None:
                pass
        return link

    async def down(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.told.get() is not None:
                pass


@asynccontextmanager
async def dialling(target: Target, credentials: Credentials, **changes: Any) -> AsyncIterator[Life]:
    life = Life()
    life.dialler = Dialler(
        target,
        credentials,
        life.serve,
        tell=life.told.put_nowait,
        random=Random(1),
        **{"head_start": 1.0, "retry_quic": 0.3, **changes},
    )
    running = asyncio.ensure_future(life.dialler.run())
    try:
        yield life
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


@asynccontextmanager
async def front(port: int) -> AsyncIterator[tuple[Road, int]]:
    """One port number in front of a listener's: a road for UDP, and TCP that always passes."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    async with road(port) as (way, number):
        server = await asyncio.start_server(carry, HOST, number)
        try:
            yield way, number
        finally:
            server.close()
            await asyncio.sleep(0.05)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_quic_when_it_works(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with (
        listening(there) as ear,
        dialling(Target("there", HOST, ear.port), here, head_start=10.0) as life,
    ):
        link = await life.up()
        assert life.dialler.link is link
        assert link.info.way is Way.QUIC
        other = await ear.links.get()
        assert ear.listener.links == {"here": other}
        other.send(b"k", b"hello")
        assert await take(link, 1) == [Message(b"k", b"hello")]


async def test_tcp_when_udp_is_blocked_and_back(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear, front(ear.port) as (way, port):
        way.closed = True
        async with dialling(Target("there", HOST, port), here) as life:
            link = await life.up()
            assert link.info.way is Way.TCP
            other = await ear.links.get()
            link.send(b"k", b"over TCP")
            assert await take(other, 1) == [Message(b"k", b"over TCP")]
            way.closed = False
            link = await life.up()
            assert link.info.way is Way.QUIC
            other = await ear.links.get()
            link.send(b"k", b"over QUIC")
            assert await take(other, 1) == [Message(b"k", b"over QUIC")]


async def test_what_was_sent_before_the_move_arrives(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear, front(ear.port) as (way, port):
        way.closed = True
        async with dialling(Target("there", HOST, port), here) as life:
            link = await life.up()
            other = await ear.links.get()
            way.closed = False
            sent = 0
            while not link.closed:
                link.send(b"k", b"%d" % sent)
                sent += 1
                await asyncio.sleep(0.005)
            assert [int(m.data) for m in await take(other, sent)] == list(range(sent))
            with pytest.raises(SessionClosed) as caught:
                await other.receive()
            assert caught.value.code == CloseCode.GOING_AWAY


async def test_it_comes_back_when_the_listener_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.links.dial.DIAL_TIMEOUT", 1.0)
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear:
        port = ear.port
    async with dialling(Target("there", HOST, port), here, head_start=0.05) as life:
        async with asyncio.timeout(PATIENCE):
            while life.dialler.trouble is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert life.dialler.link is None
        for _ in range(2):
            async with listening(there, port=port) as ear:
                link = await life.up()
                other = await ear.links.get()
                link.send(b"k", b"again")
                assert await take(other, 1) == [Message(b"k", b"again")]
            await life.down()
            assert life.dialler.link is None


@pytest.mark.parametrize("way", [Way.QUIC, Way.TCP])
async def test_a_newer_link_takes_the_place_of_the_older(tmp_path: Path, way: Way) -> None:
    """As after a loss of power at the other end: the older one is still believed to live."""
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear:
        target = Target("there", HOST, ear.port)
        async with dialling(target, here, ways=(way,)) as first:
            await first.up()
            older = await ear.links.get()
            async with dialling(target, here, ways=(way,)) as second:
                await second.up()
                newer = await ear.links.get()
                async with asyncio.timeout(PATIENCE):
                    with pytest.raises(SessionClosed) as caught:
                        await older.receive()
                assert caught.value.code == CloseCode.GOING_AWAY
                assert newer is not older


async def test_a_listener_that_stops_tells(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    link: Link
    async with contextlib.AsyncExitStack() as stack:
        ear = await stack.enter_async_context(listening(there))
        async with dialling(Target("there", HOST, ear.port), here) as life:
            link = await life.up()
            await ear.links.get()
            closing = asyncio.ensure_future(until_closed(link))
            await stack.aclose()
            assert (await closing).code == CloseCode.GOING_AWAY


async def until_closed(link: Link) -> SessionClosed:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(SessionClosed) as caught:
            await link.receive()
    return caught.value


async def test_a_link_that_was_merely_tried_is_nobodys(tmp_path: Path) -> None:
    """Both ways come about at the same moment: the listener serves the one that is used."""
    deployment = Deployment(tmp_path)
    here, there = deployment.credentials("here"), deployment.credentials("there")
    async with listening(there) as ear:
        for _ in range(5):
            async with dialling(Target("there", HOST, ear.port), here, head_start=0.0) as life:
                link = await life.up()
                other = await ear.links.get()
                assert other.info.way is link.info.way
                link.send(b"k", b"used")
                assert await take(other, 1) == [Message(b"k", b"used")]
        assert ear.links.empty()
