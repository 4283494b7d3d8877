"""What every connection is configured with, and the protocols spoken on one.

May import: congestion, aio.bounds.
"""

from __future__ import annotations

import logging

from aioquic.quic.configuration import QuicConfiguration

from transport.quic import congestion
from transport.quic.aio import bounds

ALPN = "h3"
NATIVE_ALPN = "tradewind/1"
"""A session with nothing between it and QUIC; the only protocol with early data."""
NATIVE_PATH = "/v1/live"
"""Where its sessions are, as seen by the application."""

# What a peer does wrong is counted, not printed: it could print as much as it liked.
logging.getLogger("quic").setLevel(logging.ERROR)


def configuration(
    *, is_client: bool, server_name: str | None = None, alpn: tuple[str, ...] = (ALPN,)
) -> QuicConfiguration:
    """The configuration both roles share."""
    return QuicConfiguration(
        congestion_control_algorithm=congestion.ALGORITHM,
        alpn_protocols=list(alpn),
        connection_id_length=bounds.CONNECTION_ID_LENGTH,
        idle_timeout=bounds.IDLE_TIMEOUT,
        initial_rtt=bounds.INITIAL_RTT,
        is_client=is_client,
        max_data=bounds.CONNECTION_WINDOW,
        max_datagram_frame_size=65_536,
        max_stream_data=bounds.STREAM_WINDOW,
        server_name=server_name,
    )
