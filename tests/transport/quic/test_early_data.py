"""Session tickets and early data, through the real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.transport.support.chat import Chat
from tests.transport.support.echo import until
from tests.transport.support.road import road
from tests.transport.support.stack import Stack, running
from transport.client import Client, Connected, Settings
from transport.client.tickets import Remembered, TicketCache
from transport.quic import dial as quic
from transport.quic.native_dial import Memory, NativeClient
from transport.quic.opened import Closed
from transport.quic.roaming import Roaming
from transport.quic.tickets import MemoryTickets
from transport.session import TransportKind
from transport.wire import codec, varint
from transport.wire.codec import pack
from transport.wire.frames import Hello, Send

PATIENCE = 10.0


@pytest.fixture
def given() -> MemoryTickets:
    """The tickets that the server knows."""
    return MemoryTickets()


@pytest.fixture
async def stack(tmp_path: Path, given: MemoryTickets) -> AsyncIterator[Stack]:
    async with running(tmp_path, tickets=given) as stack:
        yield stack


@pytest.fixture
def chat(stack: Stack) -> Chat:
    chat = Chat()
    stack.serve = chat.serve  # type: ignore[method-assign]
    return chat


async def good(fresh: bool) -> str:
    return "good"


def settings(stack: Stack, port: int, tickets: TicketCache) -> Settings:
    return Settings(
        url=f"https://127.0.0.1:{port}/v1/live",
        transports=(TransportKind.QUIC,),
        trust=stack.trust,
        head_start=None,
        tickets=tickets,
    )


async def meet(stack: Stack, port: int, tickets: TicketCache) -> None:
    """A first connection, which brings a ticket."""
    async with Client(settings(stack, port, tickets), good) as client, asyncio.timeout(PATIENCE):
        await client.ready()
        await until(lambda: tickets.has("127.0.0.1", port))
    await asyncio.sleep(0.05)


async def test_a_message_is_accepted_after_one_round_trip(stack: Stack, chat: Chat) -> None:
    tickets, conversation = TicketCache(), uuid4()
    connections: list[Connected] = []
    async with road(stack.port) as (way, port):
        await meet(stack, port, tickets)
        # From the first answer on the client is not heard: all it gets, it gets for its first
        # flight.
        way.answers, way.first_flight_only = 0, True
        client = Client(settings(stack, port, tickets), good, on_connected=connections.append)
        async with client, asyncio.timeout(PATIENCE):
            accepted = await client.send(conversation, "message", {"text": "first"})
            assert accepted.seq == 1
            await until(lambda: len(connections) == 1)
            way.first_flight_only = False
    assert connections[0].early
    assert len(chat.logs[conversation]) == 1


async def test_without_a_ticket_a_message_takes_more(stack: Stack, chat: Chat) -> None:
    """The control of the test above: the road does stop what comes later."""
    async with road(stack.port) as (way, port):
        way.first_flight_only = True
        client = Client(settings(stack, port, TicketCache()), good)
        async with client:
            answer = client.send(uuid4(), "message", {"text": "first"})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await answer
            way.first_flight_only = False


async def test_a_replayed_first_flight_says_nothing_twice(stack: Stack, chat: Chat) -> None:
    tickets, conversation = TicketCache(), uuid4()
    async with road(stack.port) as (way, port):
        await meet(stack, port, tickets)
        way.sent.clear()
        client = Client(settings(stack, port, tickets), good)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.connect(("127.0.0.1", stack.port))
            async with client, asyncio.timeout(PATIENCE):
                await client.send(conversation, "message", {"text": "once"})
                flight = list(way.sent)
                hellos, seen = len(chat.hellos), len(chat.seen)
                for data in flight:  # while the connection is there
                    elsewhere.send(data)
                await asyncio.sleep(0.1)
                assert (len(chat.hellos), len(chat.seen)) == (hellos, seen)
            await until(lambda: not chat.sessions)
            await asyncio.sleep(0.6)  # until the server has forgotten the connection
            before = len(chat.seen)
            for data in flight:  # and when it is gone
                elsewhere.send(data)
            await asyncio.sleep(0.2)
        assert len(chat.hellos) == hellos
        assert len(chat.seen) == before
        assert len(chat.logs[conversation]) == 1


def native(stack: Stack, remembered: Remembered | None) -> NativeClient:
    ticket = None if remembered is None else remembered.ticket
    return NativeClient(
        "127.0.0.1",
        (socket.AF_INET, ("127.0.0.1", stack.port)),
        quic.Trust(hashes=frozenset(stack.trust.certificate_hashes)),
        Memory(ticket=ticket),
        Roaming(),
    )


async def say(client: NativeClient, text: str) -> None:
    """hello and send, on the stream alone."""
    for frame in (
        Hello(1, "good"),
        Send(uuid4(), uuid4(), "message", pack({"text": text})),
    ):
        data = codec.encode(frame)
        client.send_stream(varint.encode(len(data)) + data)


async def test_a_used_ticket_is_rejected_and_nothing_is_lost(stack: Stack, chat: Chat) -> None:
    tickets = TicketCache()
    await meet(stack, stack.port, tickets)
    remembered = tickets.take("127.0.0.1", stack.port)
    assert remembered is not None
    for number, taken in ((1, True), (2, False)):
        client = native(stack, remembered)
        assert client.early
        await say(client, str(number))
        async with asyncio.timeout(PATIENCE):
            assert await client.established(5.0) is taken
            assert not isinstance(await client.receive(), Closed)  # welcome
        await until(lambda number=number: len(chat.logs) == number)  # type: ignore[misc]
        client.leave()
        await asyncio.sleep(0.01)
    assert len(chat.hellos) == 3


async def test_a_server_that_has_forgotten_all_tickets(
    stack: Stack, chat: Chat, given: MemoryTickets
) -> None:
    """After a restart, or on another worker: the client's first words go again by themselves."""
    tickets, conversation = TicketCache(), uuid4()
    await meet(stack, stack.port, tickets)
    given._tickets.clear()
    connections: list[Connected] = []
    client = Client(settings(stack, stack.port, tickets), good, on_connected=connections.append)
    async with client, asyncio.timeout(PATIENCE):
        assert (await client.send(conversation, "message", {"text": "again"})).seq == 1
        await until(lambda: len(connections) == 1)
    assert connections[0].early


async def test_an_early_session_that_nobody_answers_loses_the_race(
    stack: Stack, chat: Chat
) -> None:
    """The way of last time leads nowhere now: after the head start the others are tried, and what
    was said early is said there."""
    tickets = TicketCache()
    await meet(stack, stack.port, tickets)
    remembered = tickets.take("127.0.0.1", stack.port)
    assert remembered is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        address = (int(socket.AF_INET), "127.0.0.1", hole.getsockname()[1])
        tickets.put("127.0.0.1", stack.port, Remembered(remembered.ticket, address))
        way = Settings(
            url=stack.url,
            transports=(TransportKind.WEBSOCKET_H1, TransportKind.QUIC),
            trust=stack.trust,
            head_start=0.25,
            tickets=tickets,
        )
        conversation = uuid4()
        connections: list[Connected] = []
        client = Client(way, good, on_connected=connections.append)
        async with client, asyncio.timeout(PATIENCE):
            assert (await client.send(conversation, "message", {"text": "hello"})).seq == 1
            await until(lambda: len(connections) == 1)
    assert not connections[0].early
    assert len(chat.logs[conversation]) == 1


async def test_http3_has_no_early_data(
    stack: Stack, chat: Chat, given: MemoryTickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CONNECT must not be replayed: h3 gives no tickets, and takes none of the other protocol."""
    tickets = TicketCache()
    await meet(stack, stack.port, tickets)
    remembered = tickets.take("127.0.0.1", stack.port)
    assert remembered is not None
    known = len(given)
    monkeypatch.setattr("transport.quic.native_dial.NATIVE_ALPN", "h3")
    client = native(stack, remembered)
    assert client.early
    client.send_stream(b"\x01\x00")  # an empty HEADERS frame
    assert await client.established(5.0) is False
    await asyncio.sleep(0.1)
    assert len(given) == known
    client.leave()
    await asyncio.sleep(0.01)
