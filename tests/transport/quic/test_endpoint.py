"""The UDP socket against rubbish, strange versions and clients without manners."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.transport.support.echo import connected, echo, served, until
from transport.quic import dial as dial_module
from transport.quic import packet, peer
from transport.quic.admission import Limits
from transport.quic.aio.configuration import configuration
from transport.quic.aio.connection import Connection
from transport.quic.dial import DialError, Trust, dial
from transport.quic.endpoint import normalise
from transport.serve import Listening


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    async with served(echo, tmp_path) as listening:
        yield listening


class Raw:
    """A bare UDP socket beside the server's."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", port))

    async def ask(self, data: bytes) -> bytes | None:
        """Send a packet; what comes back within a moment."""
        self.socket.send(data)
        try:
            async with asyncio.timeout(0.15):
                return await asyncio.get_running_loop().sock_recv(self.socket, 2048)
        except TimeoutError:
            return None


@pytest.fixture
def raw(listening: Listening) -> Any:
    raw = Raw(listening.port)
    yield raw
    raw.socket.close()


def initial() -> bytes:
    """The first packet of an honest client."""
    client = Connection(configuration(is_client=True, server_name="localhost"))
    client.connect(("127.0.0.1", 1), 0.0)
    return client.datagrams_to_send(0.0)[0][0]


async def test_rubbish_is_counted_and_nobody_is_hurt(listening: Listening, raw: Raw) -> None:
    async with connected(listening) as client:
        for size in (0, 1, 8, 9, 20, 100, 1200, 1472):
            for _ in range(5):
                raw.socket.send(os.urandom(size))
        raw.socket.send(b"\xc0\x00\x00\x00\x01\x08" + bytes(8) + b"\x00" + os.urandom(1300))
        await asyncio.sleep(0.05)
        assert (await client.request("GET", "/")).status == 200
        stats = listening.stats()
        assert stats["quic_rubbish"] > 0
        assert stats["quic_connections"] == 1, "no state is kept for rubbish"


async def test_initial_with_broken_payload_leaves_no_state(listening: Listening, raw: Raw) -> None:
    data = initial()
    assert await raw.ask(data[:60] + os.urandom(len(data) - 60)) is None
    assert listening.stats()["quic_connection_ids"] == 0


async def test_initial_that_is_too_small_starts_nothing(listening: Listening, raw: Raw) -> None:
    assert await raw.ask(initial()[:1199]) is None
    assert listening.stats()["quic_accepted"] == 0


async def test_unknown_version_is_told_ours(listening: Listening, raw: Raw) -> None:
    data = bytearray(initial())
    data[1:5] = b"\x1a\x2a\x3a\x4a"
    reply = await raw.ask(bytes(data))
    assert reply is not None
    header = packet.parse(reply)
    assert header is not None
    assert header.version == 0
    assert reply.endswith(b"\x00\x00\x00\x01" + b"\x6b\x33\x43\xcf")
    assert await raw.ask(bytes(data[:1199])) is None


async def test_version_negotiation_is_not_answered(listening: Listening, raw: Raw) -> None:
    data = bytearray(initial())
    data[1:5] = bytes(4)
    assert await raw.ask(bytes(data)) is None
    assert listening.stats()["quic_version_negotiations"] == 0


async def test_teardown_leaves_the_table_empty(listening: Listening) -> None:
    async with connected(listening) as one, connected(listening) as two:
        await one.request("GET", "/")
        await two.request("GET", "/")
        assert listening.stats()["quic_connection_ids"] > 2
        assert listening.stats()["quic_handshakes"] == 0
    await until(lambda: listening.stats()["quic_connections"] == 0)
    assert listening.stats()["quic_connection_ids"] == 0


async def test_over_the_cap_new_connections_are_ignored(tmp_path: Path) -> None:
    async with (
        served(echo, tmp_path, quic_limits=Limits(connections=1)) as listening,
        connected(listening) as client,
    ):
        with pytest.raises(DialError, match="No answer"):
            async with dial("127.0.0.1", listening.port, timeout=0.3):
                pass
        assert (await client.request("GET", "/")).status == 200
        assert listening.stats()["quic_refused"] > 0


async def test_handshakes_are_capped_and_dropped_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "HANDSHAKE_DEADLINE", 0.3)
    async with served(echo, tmp_path, quic_limits=Limits(retry_above=2)) as listening:
        raw = Raw(listening.port)
        for _ in range(4):
            await raw.ask(initial())
        assert listening.stats()["quic_accepted"] == 2
        assert listening.stats()["quic_retries"] == 2
        await until(lambda: listening.stats()["quic_connections"] == 0)
        assert listening.stats()["quic_connection_ids"] == 0
        assert listening.stats()["quic_handshakes"] == 0
        raw.socket.close()


async def test_wrong_hash_is_refused(listening: Listening) -> None:
    with pytest.raises(DialError, match="another hash"):
        async with dial("127.0.0.1", listening.port, trust=Trust(hashes=frozenset({"AAAA"}))):
            pass


async def test_unknown_authority_is_refused(listening: Listening) -> None:
    with pytest.raises(DialError):
        async with dial("127.0.0.1", listening.port):
            pass


async def test_known_authority_is_believed(listening: Listening) -> None:
    cafile = str(listening.certificates.current.certfile)
    async with dial("localhost", listening.port, trust=Trust(cafile=cafile)) as client:
        assert (await client.request("GET", "/")).body == b"HTTP/3, 0 bytes"


async def test_other_protocol_is_refused(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dial_module.client_configuration

    def other(host: str, trust: Trust, datagrams: bool) -> Any:
        changed = settings(host, trust, datagrams)
        changed.alpn_protocols = ["hq-interop"]
        return changed

    monkeypatch.setattr(dial_module, "client_configuration", other)
    with pytest.raises(DialError, match="0x178"):
        async with connected(listening):
            pass


async def test_client_that_vanishes_is_forgotten(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(listening) as client:
        client.quic.configuration.idle_timeout = 60.0
        await client.request("GET", "/")
        server = next(iter(listening.endpoint._all))
        server.quic._close_at = 0.0  # the idle timeout has come
        client.drop()
        server._rang(0.0)
    await until(lambda: listening.stats()["quic_connections"] == 0)
    assert listening.stats()["quic_connection_ids"] == 0


async def test_fault_in_one_connection_stays_there(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(listening) as good, connected(listening) as bad:
        await good.request("GET", "/")
        await bad.request("GET", "/")
        ours = bad.quic.host_cid
        victim = next(p for p in listening.endpoint._all if p.quic._peer_cid.cid == ours)
        assert victim.handler is not None
        monkeypatch.setattr(victim.handler, "handle", lambda event: 1 / 0)
        bad._open("GET", "/", [], end=True)
        await until(lambda: bad.lost_with is not None)
        assert bad.lost_with is not None
        assert bad.lost_with[0] == 1  # INTERNAL_ERROR
        assert (await good.request("GET", "/")).status == 200


async def test_close_tells_everybody(tmp_path: Path) -> None:
    async with served(echo, tmp_path) as listening:
        trust = Trust(hashes=frozenset(listening.certificates.hashes()))
        context = dial("127.0.0.1", listening.port, trust=trust)
        client = await context.__aenter__()
        await client.request("GET", "/")
    await until(lambda: client.lost_with is not None)
    assert client.lost_with == (0x100, "going away")
    await context.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("raw_address", "people"),
    [
        (("::ffff:192.0.2.1", 5, 0, 0), ("192.0.2.1", 5)),
        (("192.0.2.1", 5), ("192.0.2.1", 5)),
        (("2001:db8::1", 5, 0, 0), ("2001:db8::1", 5)),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::1%eth0", 5)),
    ],
)
def test_addresses_as_people_write_them(raw_address: Any, people: tuple[str, int]) -> None:
    assert normalise(raw_address) == people
