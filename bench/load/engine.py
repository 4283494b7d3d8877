"""The QUIC engine of the load generator: qh3, whose packets cost a fifth of what aioquic's do.

Both ends of a load test share one machine, so what the generator spends the server lacks. qh3
cannot serve browsers yet; as the client of a server of ours it can. This is the one file that
names it.

What holds always: nothing is verified (the server measured is one we started), and nothing is
decided here: time, packets and addresses come from the caller.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import ssl

from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.events import (
    ConnectionIdIssued,
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    StreamDataReceived,
    StreamReset,
)

__all__ = [
    "Connection",
    "ConnectionIdIssued",
    "ConnectionTerminated",
    "DatagramFrameReceived",
    "HandshakeCompleted",
    "StreamDataReceived",
    "StreamReset",
    "connection",
    "initial",
]

Connection = QuicConnection
CONNECTION_ID_LENGTH = 8
IDLE_TIMEOUT = 60.0
"""Seconds: the server's own, so that the generator never is the side that gives up first."""
WINDOW = 65_536
"""Bytes of credit: a chat session is thin."""


def connection(server_name: str) -> Connection:
    """A client connection that has sent nothing yet."""
    return QuicConnection(
        configuration=QuicConfiguration(
            alpn_protocols=["h3"],
            connection_id_length=CONNECTION_ID_LENGTH,
            idle_timeout=IDLE_TIMEOUT,
            is_client=True,
            max_data=WINDOW,
            max_datagram_frame_size=WINDOW,
            max_datagram_size=1200,
            max_stream_data=WINDOW,
            probe_datagram_size=False,
            server_name=server_name,
            verify_mode=ssl.CERT_NONE,
        )
    )


def initial(server_name: str, address: tuple[str, int], now: float) -> bytes:
    """The first packet of a handshake that nobody will finish: a whole, valid ClientHello."""
    quic = connection(server_name)
    quic.connect(address, now)
    return bytes(quic.datagrams_to_send(now)[0][0])
