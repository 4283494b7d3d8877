"""A QUIC connection whose every buffer is bounded, either role: all topics of this folder at once.

What holds always: a topic's class overrides what it changes and calls on, so the order of the
bases is the order in which a packet meets them.
May import: congestion, insight, and the topics beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.tls import SessionTicket

from transport.quic import congestion
from transport.quic.aio.acks import Acks
from transport.quic.aio.flow import Flow
from transport.quic.aio.frugal import Few, FinishedTls, FrameHandlers
from transport.quic.aio.handshake import Handshake, Tickets
from transport.quic.aio.haste import Haste
from transport.quic.aio.identity import NO_ORIGIN, Origin
from transport.quic.aio.mutual import Mutual
from transport.quic.aio.overtaken import Overtaken
from transport.quic.aio.patience import PatientRecovery
from transport.quic.insight import Vitals


class Connection(Overtaken, Mutual, Haste, Acks, Handshake, Flow):
    """A QUIC connection whose every buffer is bounded."""

    def __init__(
        self,
        configuration: QuicConfiguration,
        original_cid: bytes | None = None,
        *,
        new_id: Callable[[int], bytes] = os.urandom,
        origin: Origin = NO_ORIGIN,
        tickets: Tickets | None = None,
        on_ticket: Callable[[SessionTicket], None] | None = None,
        on_token: Callable[[bytes], None] | None = None,
    ) -> None:
        """`new_id` makes the connection IDs that we issue, of a given length. `origin` and
        `tickets` are a server's; `on_ticket` and `on_token` take what a client is given for its
        next connection."""
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original_cid,
            retry_source_connection_id=origin.retry_source,
            session_ticket_handler=on_ticket,
            token_handler=on_token,
        )
        self.stalls = 0
        self._loss = PatientRecovery(
            congestion_control_algorithm=configuration.congestion_control_algorithm,
            initial_rtt=configuration.initial_rtt,
            max_datagram_size=configuration.max_datagram_size,
            peer_completed_address_validation=not configuration.is_client,
            send_probe=self._send_probe,
            logger=self._logger,
            quic_logger=self._quic_logger,
        )
        self._tickets = tickets
        self._ack_delay = 0.0  # until the handshake is confirmed
        self._take_identity(new_id, origin)
        self._limit_peer()
        self._loss._pacer = congestion.ThinPacer(
            max_datagram_size=self.configuration.max_datagram_size
        )
        self._QuicConnection__frame_handlers: Mapping[int, Any] | FrameHandlers
        self._QuicConnection__frame_handlers = FrameHandlers(
            self, self._QuicConnection__frame_handlers
        )
        self._events = Few()  # type: ignore[assignment]
        self._datagrams_pending = Few()  # type: ignore[assignment]

    @property
    def started(self) -> bool:
        """Whether a packet could be decrypted; before that there is nobody to answer."""
        if self.configuration.is_client:
            return bool(self._network_paths)
        return self._remote_initial_source_connection_id is not None

    @property
    def handshake_complete(self) -> bool:
        """Whether the peer has proved to own its address and to speak TLS with us."""
        return self._handshake_complete

    @property
    def end(self) -> tuple[int, str] | None:
        """Code and reason once either side has begun to close, long before aioquic says so."""
        event = self._close_event
        return None if event is None else (event.error_code, event.reason_phrase)

    @property
    def ended_by_application(self) -> bool:
        """Whether the code of the end is one of the session's, not of QUIC's."""
        return self._close_event is not None and self._close_event.frame_type is None

    @property
    def peer_certificate(self) -> Any:
        """The leaf the server showed (an x509.Certificate), for a client that checks a hash."""
        return self.tls._peer_certificate

    def vitals(self) -> Vitals:
        """Round trip, packets sent and declared lost, datagrams we gave up, waits of writers."""
        control = self._loss._cc
        assert isinstance(control, congestion.ThinCongestionControl)
        rtt = self._loss._rtt_smoothed if self._loss._rtt_initialized else None
        return Vitals(rtt, control.sent, control.lost, self.datagrams_dropped, self.stalls)

    def let_go(self) -> None:
        """Nothing will come or go any more: cut what refers back to the connection, so that it is
        freed at once. Of 20,000 that come and go, the garbage collector should have none."""
        self._loss._send_probe = _nothing
        self._QuicConnection__frame_handlers = {}
        self._cryptos = {}
        self._cryptos_initial = {}
        if self.started and not isinstance(self.tls, FinishedTls):
            self.tls = FinishedTls(self.tls)  # type: ignore[assignment]

    def end_trace(self) -> None:
        """Write no more of this connection's qlog, if there is one."""
        logger = self.configuration.quic_logger
        if self._quic_logger is not None and logger is not None:
            logger.end_trace(self._quic_logger)
            self._quic_logger = None


def _nothing() -> None:
    pass
