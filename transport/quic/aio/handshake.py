"""The handshake: tickets for the next one, and giving back what only this one needed.

What holds always: only `tradewind/1` has session tickets, because an HTTP/3 CONNECT must not go in
early data; an acknowledgement waits for nothing until the handshake is confirmed; afterwards no
buffer, key or TLS state of it is kept.
May import: aio.bounds, aio.configuration, aio.frugal, aio.identity.
"""

from __future__ import annotations

from typing import Protocol

from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch, SessionTicket

from transport.quic.aio.bounds import ACK_HOLD
from transport.quic.aio.configuration import NATIVE_ALPN
from transport.quic.aio.frugal import DEAD_KEYS, DEAD_SPACE, HEARD, Few, FinishedTls, silence
from transport.quic.aio.identity import Identity


class Tickets(Protocol):
    """The session tickets of a server. A ticket that was taken is never given again: that is what
    makes early data arrive once. A ticket that is not known here means a full handshake."""

    def put(self, ticket: SessionTicket) -> None: ...

    def take(self, identity: bytes) -> SessionTicket | None: ...


class Handshake(Identity):
    """What happens once on a connection."""

    _tickets: Tickets | None = None
    _native = False

    def _alpn_handler(self, alpn_protocol: str) -> None:
        """As aioquic's. TLS asks for tickets right after this: h3 has none, because a CONNECT
        must not go in early data."""
        super()._alpn_handler(alpn_protocol)
        self._native = alpn_protocol == NATIVE_ALPN
        if self._tickets is not None and self._native:
            self._session_ticket_handler = self._tickets.put
            self.tls.get_session_ticket_cb = self._tickets.take
            self.tls.new_session_ticket_cb = self._handle_session_ticket

    def _write_handshake_done_frame(self, builder: QuicPacketBuilder) -> None:
        """As aioquic's, and a token for next time beside it (RFC 9000 section 8.1.3). A lost one
        is not sent again: the next connection only proves its address anew."""
        super()._write_handshake_done_frame(builder)
        if self._origin.later is not None and self._native:
            token = self._origin.later()
            buffer = builder.start_frame(QuicFrameType.NEW_TOKEN, capacity=3 + len(token))
            buffer.push_uint_var(len(token))
            buffer.push_bytes(token)

    def _confirm_handshake(self) -> None:
        """As aioquic's, giving back about 70 KiB of what only a handshake needs."""
        super()._confirm_handshake()
        self._crypto_buffers = {}
        self._cryptos_initial = dict.fromkeys(self._cryptos_initial, DEAD_KEYS)
        for epoch in (Epoch.INITIAL, Epoch.HANDSHAKE):
            self._cryptos[epoch] = DEAD_KEYS
            self._spaces[epoch] = DEAD_SPACE
            self._crypto_streams[epoch] = HEARD
        self._loss.spaces = [self._spaces[Epoch.ONE_RTT]]
        self._ack_delay = ACK_HOLD
        if not self._native:
            self._cryptos[Epoch.ZERO_RTT] = DEAD_KEYS
        if self._quic_logger is None:
            silence(self._cryptos[Epoch.ONE_RTT])
        for path in self._network_paths:
            path.remote_challenges = Few(path.remote_challenges)  # type: ignore[assignment]
        if not self.configuration.is_client:  # a client still takes session tickets
            self.tls = FinishedTls(self.tls)  # type: ignore[assignment]
