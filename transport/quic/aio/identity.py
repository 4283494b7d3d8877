"""Who a connection is: the IDs it goes by, what proves its address, and how it is disowned.

What holds always: IDs are made by `new_id`, so that the packets of a connection find the worker
that has it; a server's reset tokens come from its secret, so that it can disown a connection that
it has forgotten; a stateless reset is looked for in constant time.
May import: aio.bounds.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from aioquic.quic.connection import QuicConnection, QuicConnectionId
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from msgspec import Struct

from transport.quic.aio.bounds import CONNECTION_ID_LENGTH

_MIN_RESET = 21
"""Bytes of the smallest stateless reset."""


class Origin(Struct, frozen=True, kw_only=True):
    """How a server's connection came about, and what it promises from the shared secret.

    `retry_source` is the ID of the Retry that came before; `proven` the address that the client
    has shown to be its own; `reset_token` gives the stateless reset token of an ID; `later` the
    token of a NEW_TOKEN frame.
    """

    retry_source: bytes | None = None
    proven: Any = None
    reset_token: Callable[[bytes], bytes] | None = None
    later: Callable[[], bytes] | None = None


NO_ORIGIN = Origin()


class Identity(QuicConnection):
    """Connection IDs, reset tokens and proven addresses."""

    _new_id: Callable[[int], bytes]
    _origin: Origin

    def _take_identity(self, new_id: Callable[[int], bytes], origin: Origin) -> None:
        """Once, when the connection is made."""
        self._new_id = new_id
        self._origin = origin
        self._name_ids(0)
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As aioquic's, which looks for no stateless reset."""
        if self.configuration.is_client and self._is_reset(data):
            self._end_by_reset()
        else:
            super().receive_datagram(data, addr, now)

    def _is_reset(self, data: bytes) -> bool:
        """RFC 9000 section 10.3.1, in constant time."""
        token = self._peer_cid.stateless_reset_token
        if not token or len(data) < _MIN_RESET or data[0] & 0x80:
            return False
        return hmac.compare_digest(data[-len(token) :], token)

    def _end_by_reset(self) -> None:
        if self._close_event is None:
            self._close_event = ConnectionTerminated(
                QuicErrorCode.NO_ERROR, QuicFrameType.PADDING, "stateless reset"
            )
            self._close_end()

    def _find_network_path(self, addr: Any) -> Any:
        path = super()._find_network_path(addr)
        if self._origin.proven is not None and addr == self._origin.proven:
            path.is_validated = True  # RFC 9000 section 8.1: its token said so
        return path

    def _serialize_transport_parameters(self) -> bytes:
        if self._origin.reset_token is not None:
            first = self._host_cids[0]
            first.stateless_reset_token = self._origin.reset_token(first.cid)
        return bytes(super()._serialize_transport_parameters())

    def _write_new_connection_id_frame(
        self, builder: QuicPacketBuilder, connection_id: QuicConnectionId
    ) -> None:
        if self._origin.reset_token is not None:
            connection_id.stateless_reset_token = self._origin.reset_token(connection_id.cid)
        super()._write_new_connection_id_frame(builder, connection_id)

    def _replenish_connection_ids(self) -> None:
        known = len(self._host_cids)
        super()._replenish_connection_ids()
        self._name_ids(known)

    def _name_ids(self, start: int) -> None:
        """Give the IDs that aioquic made at random, from `start` on, ours instead."""
        for issued in self._host_cids[start:]:
            issued.cid = self._new_id(CONNECTION_ID_LENGTH)
