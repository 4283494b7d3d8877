"""The end of a handshake, in memory."""

from __future__ import annotations

import pytest
from aioquic.quic.connection import QuicReceiveContext
from aioquic.tls import Epoch

from tests.transport.support.pair import Pair

CRYPTO = 0x06
FINISHED = bytes([CRYPTO, 0, 4]) + b"\x14\x00\x00\x00"
"""A CRYPTO frame of four bytes at offset 0."""


@pytest.mark.parametrize("epoch", [Epoch.INITIAL, Epoch.HANDSHAKE])
def test_last_words_may_be_said_twice(pair: Pair, epoch: Epoch) -> None:
    """A client that hears nothing says them again, in one packet if both are outstanding: the first
    ends the handshake, and the second belongs to nothing any more."""
    context = QuicReceiveContext(
        epoch=epoch,
        host_cid=pair.server.host_cid,
        network_path=pair.server._network_paths[0],
        quic_logger_frames=None,
        time=pair.now,
        version=1,
    )
    pair.server._payload_received(context, FINISHED + FINISHED)
    pair.exchange()
    assert pair.server.end is None
    assert pair.server.handshake_complete
