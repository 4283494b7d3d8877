"""Clients that send anything at all on an open connection: the server keeps its head.

What they send is made from a seed. A fault of the server would be logged as an error (the client
here has no reason to log one) or leave something in its tables.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from aioquic.buffer import encode_uint_var as varint

from tests.transport.support.echo import connected, echo, served, until
from transport.quic.dial import ConnectionLost, Http3Client, Refused

CONNECTIONS = 200
KINDS = (0x0, 0x0, 0x1, 0x4, 0x5, 0x7, 0xD, 0x41, 0x21, 0x2843)
CRITICAL = 3
"""Our own control streams: without them this client could not go on."""


class Abuser:
    """Does one wild thing after another."""

    def __init__(self, client: Http3Client, dice: random.Random) -> None:
        self.client = client
        self.quic = client.quic
        self.h3: Any = client._h3
        self.dice = dice

    def frame(self) -> bytes:
        body = self.dice.randbytes(self.dice.choice([0, 1, 5, 50, 900]))
        length = self.dice.choice([len(body)] * 4 + [0, 3, 1 << 20])
        return varint(self.dice.choice(KINDS)) + varint(length) + body

    def mine(self) -> int:
        critical = [self.h3._local_control_stream_id, self.h3._local_encoder_stream_id]
        critical.append(self.h3._local_decoder_stream_id)
        return self.dice.choice([s for s in self.quic._streams if s not in critical])

    def new_stream(self) -> None:
        stream = self.quic.get_next_available_stream_id()
        self.quic.send_stream_data(stream, self.frame() + self.frame(), self.dice.random() < 0.3)

    def new_unidirectional(self) -> None:
        stream = self.quic.get_next_available_stream_id(is_unidirectional=True)
        kind = varint(self.dice.choice([0, 1, 2, 3, 0x54, 0x21]))
        self.quic.send_stream_data(stream, kind + self.frame(), self.dice.random() < 0.3)

    def datagram(self) -> None:
        self.quic.send_datagram_frame(self.dice.randbytes(self.dice.choice([0, 1, 5, 100])))

    def request(self) -> None:
        protocol = self.dice.choice([None, b"websocket", b"webtransport", b"x"])
        method = self.dice.choice(["GET", "POST", "CONNECT"])
        stream = self.client._open(method, "/", [], protocol=protocol)
        self.quic.send_stream_data(stream.id, self.frame(), self.dice.random() < 0.5)

    def reset(self) -> None:
        self.quic.reset_stream(self.mine(), self.dice.getrandbits(40))

    def stop(self) -> None:
        self.quic.stop_stream(self.mine(), self.dice.getrandbits(40))

    def session_stream(self) -> None:
        session = self.dice.choice([0, 4, 8, 400, 3])
        stream = self.h3.create_webtransport_stream(session, self.dice.random() < 0.5)
        self.quic.send_stream_data(stream, self.dice.randbytes(20), self.dice.random() < 0.5)

    def critical(self) -> None:
        streams = [self.h3._local_control_stream_id, self.h3._local_encoder_stream_id]
        self.quic.send_stream_data(self.dice.choice(streams), self.frame())

    def act(self) -> None:
        kinds = [
            *(self.new_stream, self.new_unidirectional, self.datagram, self.request),
            *(self.reset, self.stop, self.session_stream),
        ]
        if self.dice.random() < 0.05:
            kinds = [self.critical]
        try:
            self.dice.choice(kinds)()
        except (ValueError, IndexError, RuntimeError, ConnectionLost):
            pass  # our own side would not let us
        self.client.flush()


async def abuse(client: Http3Client, seed: int) -> None:
    dice = random.Random(seed)
    if dice.random() < 0.5:
        session = await client.open_webtransport("/")
        session.send_stream(b"x")
    abuser = Abuser(client, dice)
    for _ in range(dice.randint(1, 40)):
        if client.quic.end is not None:
            return
        abuser.act()
        await client.progress()


@pytest.mark.fuzz
async def test_the_server_keeps_its_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(echo, tmp_path) as listening:
        async with connected(listening) as good:
            for seed in range(CONNECTIONS):
                async with connected(listening) as client:
                    try:
                        await abuse(client, seed)
                    except (ConnectionLost, Refused):
                        pass
            assert (await good.request("GET", "/")).status == 200
        await until(lambda: listening.stats()["quic_connection_ids"] == 0, 10)
        await until(lambda: listening.stats()["quic_requests"] == 0, 10)
    printed = capsys.readouterr().out
    assert "error" not in printed, printed
