"""The real server under attack: floods from invented addresses, forged tokens, lost connections."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from tests.transport.support.echo import connected, echo, served, until
from tests.transport.support.stack import Stack, running
from transport.client import dial
from transport.client.native import NativeCarrier
from transport.errors import SessionClosed
from transport.quic.admission import Limits
from transport.quic.aio.configuration import configuration
from transport.quic.aio.connection import Connection
from transport.quic.dial import DialError, Trust
from transport.quic.dial import dial as dial_h3
from transport.quic.stateless import Stateless
from transport.serve import Listening
from transport.session import TransportKind
from transport.wire.frames import VERSION, Hello

FLOOD = 5_000
SOURCES = 500
TIGHT = Limits(retry_above=32)


def first_packet(token: bytes = b"", destination: bytes | None = None) -> bytes:
    """The Initial of an honest client, with a token, to a connection ID."""
    settings = configuration(is_client=True, server_name="localhost")
    settings.token = token
    client = Connection(settings)
    if destination is not None:
        client._peer_cid.cid = destination
    client.connect(("127.0.0.1", 1), 0.0)
    return client.datagrams_to_send(0.0)[0][0]


class Host:
    """A UDP socket of its own."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    async def ask(self, data: bytes, wait: float = 0.3) -> bytes | None:
        self.send(data)
        try:
            async with asyncio.timeout(wait):
                return await asyncio.get_running_loop().sock_recv(self.socket, 2048)
        except TimeoutError:
            return None

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def hosts() -> Iterator[Callable[[int], Host]]:
    """Makes hosts, and sees to their end."""
    made: list[Host] = []

    def make(port: int) -> Host:
        made.append(Host(port))
        return made[-1]

    yield make
    for host in made:
        host.close()


MakeHost = Callable[[int], Host]


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    async with served(echo, tmp_path, quic_limits=TIGHT) as listening:
        yield listening


async def test_a_flood_of_first_packets(listening: Listening, hosts: MakeHost) -> None:
    """Many sources, no source ever answers: bounded state, and everybody else goes on."""
    sources = [hosts(listening.port) for _ in range(SOURCES)]
    template = first_packet()
    at = template.index(template[6:14])
    async with connected(listening) as established:
        session = await established.open_webtransport("/")
        for number in range(FLOOD):
            # Another connection ID each time; it does not decrypt then, but a Retry comes first.
            changed = template[:at] + os.urandom(8) + template[at + 8 :]
            sources[number % SOURCES].send(first_packet() if number < 200 else changed)
            await asyncio.sleep(0)  # the kernel keeps a hundred or so
        stats = listening.stats()
        assert stats["quic_handshakes"] <= TIGHT.retry_above
        assert stats["quic_connections"] <= TIGHT.retry_above + 1
        assert stats["quic_retries"] > FLOOD / 2
        assert stats["quic_connection_ids"] < 3 * TIGHT.retry_above + 16
        session.send_stream(b"still here")
        async with asyncio.timeout(5):
            while not (event := await session.receive()).data:  # type: ignore[union-attr]
                pass
        assert event.data == b"still here"  # type: ignore[union-attr]
        before = stats["quic_tokens_good"]
        async with connected(listening) as newcomer:  # through a Retry
            assert (await newcomer.request("GET", "/")).status == 200
        assert listening.stats()["quic_tokens_good"] > before


async def fill(listening: Listening, host: Host) -> None:
    """Half-open handshakes up to the threshold."""
    while listening.stats()["quic_handshakes"] < TIGHT.retry_above:
        host.send(first_packet())
        await asyncio.sleep(0.005)


async def test_only_a_good_token_gets_in(listening: Listening, hosts: MakeHost) -> None:
    host, other = hosts(listening.port), hosts(listening.port)
    await fill(listening, hosts(listening.port))
    reply = await host.ask(first_packet())
    assert reply is not None
    retry = pull_quic_header(Buffer(data=reply))
    assert retry.packet_type is QuicPacketType.RETRY
    forged = bytearray(retry.token)
    forged[-1] ^= 1
    accepted = listening.stats()["quic_accepted"]
    for sender, token, destination in (
        (host, bytes(forged), retry.source_cid),
        (host, retry.token, os.urandom(8)),
        (other, retry.token, retry.source_cid),
        (host, os.urandom(67), retry.source_cid),
    ):
        answer = await sender.ask(first_packet(token, destination))
        assert answer is not None
        assert pull_quic_header(Buffer(data=answer)).packet_type is QuicPacketType.RETRY
    assert listening.stats()["quic_accepted"] == accepted
    assert listening.stats()["quic_tokens_bad"] == 4
    answer = await host.ask(first_packet(retry.token, retry.source_cid))
    assert answer is not None
    assert listening.stats()["quic_accepted"] == accepted + 1
    assert listening.stats()["quic_tokens_good"] == 1


async def test_connections_of_one_address_are_capped(tmp_path: Path) -> None:
    limits = Limits(connections_per_address=2, loopback_exempt=False)
    async with served(echo, tmp_path, quic_limits=limits) as listening:
        async with connected(listening) as one, connected(listening) as two:
            await one.request("GET", "/")
            trust = Trust(insecure=True)
            with pytest.raises(DialError, match="No answer"):
                async with dial_h3("127.0.0.1", listening.port, trust=trust, timeout=0.3):
                    pass
            assert (await two.request("GET", "/")).status == 200
            assert listening.stats()["quic_addresses"] == 1
        await until(lambda: listening.stats()["quic_addresses"] == 0)


async def test_a_packet_for_nobody_is_answered_by_a_reset(tmp_path: Path, hosts: MakeHost) -> None:
    secret = b"shared by the workers"
    async with served(echo, tmp_path, secret=secret) as listening:
        host = hosts(listening.port)
        lost = bytes((0x40,)) + b"some-one" + os.urandom(50)
        answer = await host.ask(lost)
        assert answer is not None
        assert len(answer) < len(lost)
        assert answer[-16:] == Stateless(secret).reset_token(b"some-one")
        assert await host.ask(lost[:21]) is None  # nothing shorter would be a reset
        stats = listening.stats()
        assert (stats["quic_resets"], stats["quic_unroutable"]) == (1, 2)


class Silent:
    """The socket of a process that dies: not even a goodbye leaves it."""

    def __init__(self, transport: Any) -> None:
        self.close = transport.close

    def is_closing(self) -> bool:
        return True


def dies(listening: Listening) -> None:
    listening.endpoint._transport = Silent(listening.endpoint._transport)


@pytest.mark.parametrize("kind", [TransportKind.QUIC, TransportKind.WEBTRANSPORT])
async def test_a_restart_ends_sessions_at_once(tmp_path: Path, kind: TransportKind) -> None:
    """The process dies without a word; the next one has the same secret. The client hears of it
    with its next packet, not after an idle timeout."""
    settings = {"secret": b"kept in the data folder"}
    async with running(tmp_path, **settings) as first:
        port = first.port
        context = dial(first.url, kind, trust=first.trust)
        session = await context.__aenter__()
        session.send(Hello(VERSION, "token"))
        server = await first.sessions.get()
        await server.receive()
        dies(first.listening)
    async with running(tmp_path, port=port, **settings) as second:
        carrier = session.carrier
        carrier._client.quic.send_ping(1)  # type: ignore[attr-defined]
        carrier._client._peer.flush()  # type: ignore[attr-defined]
        async with asyncio.timeout(3):
            with pytest.raises(SessionClosed) as caught:
                await session.receive()
        assert caught.value.remote
        assert second.listening.stats()["quic_resets"] >= 1
    await context.__aexit__(None, None, None)


@asynccontextmanager
async def dialled(stack: Stack) -> AsyncIterator[NativeCarrier]:
    async with dial(stack.url, TransportKind.QUIC, trust=stack.trust) as session:
        assert isinstance(session.carrier, NativeCarrier)
        yield session.carrier


async def test_a_reset_with_another_secret_is_no_reset(tmp_path: Path) -> None:
    async with running(tmp_path) as stack, dialled(stack) as client:
        quic = client._client.quic
        before = quic.end
        quic.receive_datagram(bytes((0x40,)) + os.urandom(41), ("127.0.0.1", stack.port), 0.0)
        assert quic.end is before is None
        token = quic._peer_cid.stateless_reset_token
        quic.receive_datagram(bytes((0x40,)) + os.urandom(20) + token, ("192.0.2.1", 1), 0.0)
        assert quic.end == (0, "stateless reset")
