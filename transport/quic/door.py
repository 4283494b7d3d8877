"""A UDP port for QUIC: one socket, a table of connection IDs, rubbish thrown away.

What holds always: a packet goes to the connection that issued its destination ID, or starts one
when it is an Initial of at least 1,200 bytes that decrypts, or is counted and forgotten; what a
connection does wrong hurts that connection only; a connection that ends takes its own IDs out of
the table and looks at no other's; whether a new one may begin, and whether it has to prove its
address first, is for `admission` to judge: what is refused is ignored, so that the client tries
again or takes TCP. What is spoken on a connection is for who inherits from this.
May import: aio, insight, qlog, peer, packet, steering, admission, stateless, tickets.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

from transport.quic import packet
from transport.quic.admission import Admission, Limits, Place, Verdict
from transport.quic.aio.connection import Connection
from transport.quic.aio.handshake import Tickets
from transport.quic.aio.identity import Origin
from transport.quic.insight import Histogram, Insight
from transport.quic.peer import Peer, clock
from transport.quic.qlog import Qlog
from transport.quic.stateless import Stateless, origin, token_of
from transport.quic.steering import Slot
from transport.quic.tokens import Token

RECEIVE_BUFFER = 524_288
"""Bytes of receive buffer asked of the kernel: about a thousand small packets, a fifth of a
second's work. Over it the kernel drops, which is better than to keep: what waits longer has been
sent again before it is read, and a server busy with stale packets never gets to the fresh ones."""
SEND_BUFFER = 4_194_304
"""Bytes of send buffer asked of the kernel; it may give less."""
MAX_UNSENT = 4_194_304
"""Bytes that wait for a full socket. Over it packets are dropped, as a full router would."""
NO_APPLICATION_PROTOCOL = 0x178
"""The TLS alert of that name as a QUIC error (RFC 9001 section 8.1)."""
CLOSE_FLUSH = 0.2
"""Seconds that the last packets of a closing port get to leave."""

log = structlog.get_logger("tradewind.quic")

COUNTERS = (
    "quic_packets_in",
    "quic_packets_out",
    "quic_rubbish",
    "quic_unroutable",
    "quic_version_negotiations",
    "quic_refused",
    "quic_retries",
    "quic_tokens_good",
    "quic_tokens_bad",
    "quic_resets",
    "quic_send_errors",
    "quic_accepted",
)


class Door(asyncio.DatagramProtocol):
    """Accepts QUIC connections."""

    def __init__(
        self,
        settings: QuicConfiguration,
        certify: Callable[[QuicConfiguration], None],
        *,
        limits: Limits | None = None,
        slot: Slot | None = None,
        secret: bytes | None = None,
        tickets: Tickets | None = None,
        qlog: Qlog | None = None,
    ) -> None:
        """`settings` are those of every connection; `certify` puts the certificate of the moment
        into them. `secret` is shared by the workers of a port, and best kept over a restart:
        address tokens and stateless resets come from it."""
        self._settings = settings
        self._certify = certify
        self._admission = Admission(limits or Limits())
        self._stateless = Stateless(secret or os.urandom(32))
        self._tickets = tickets
        self._slot = slot or Slot()
        self._settings.quic_logger = self._qlog = qlog
        self._insight = Insight()
        self._peers: dict[bytes, Peer] = {}
        self._all: dict[Peer, Place] = {}
        self._handshaking: set[Peer] = set()
        self._count = dict.fromkeys(COUNTERS, 0)
        self._transport: Any = None  # asyncio.DatagramTransport, whose stub lacks a method
        self._server_address: tuple[str, int] = ("", 0)
        self._closing = False

    async def start(self, sock: socket.socket) -> None:
        """Listen on a bound socket."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._server_address = normalise(sock.getsockname())
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def refuse(self) -> None:
        """Take no more."""
        self._closing = True

    async def close(self, code: int, reason: str) -> None:
        """Tell everybody who is left, and let go of the socket."""
        self._closing = True
        for peer in list(self._all):
            peer.close(code, reason)
        if self._all:
            await asyncio.sleep(CLOSE_FLUSH)
        for peer in list(self._all):
            peer.drop()
        if self._transport is not None:
            self._transport.close()

    def welcome(self, peer: Peer, address: Any, protocol: str | None) -> bool:
        """The handshake has come so far that it is known what is spoken; whether we speak it. Who
        does becomes the handler of the peer."""
        raise NotImplementedError

    def stats(self) -> dict[str, int]:
        """Counters and gauges."""
        return (
            self._count
            | self._insight.counters()
            | {
                "quic_connections": len(self._all),
                "quic_handshakes": self._admission.half_open,
                "quic_addresses": self._admission.addresses,
                "quic_connection_ids": len(self._peers),
            }
        )

    def histograms(self) -> dict[str, Histogram]:
        """What connections were like: those that ended, and a few more of those that live."""
        self._insight.sample((peer.quic for peer in self._all), len(self._all))
        return self._insight.histograms

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is read from now on."""
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        """One packet."""
        try:
            self._received(data, address)
        except Exception as error:
            self._count["quic_rubbish"] += 1
            log.error("quic.packet_failed", exc_info=error)

    def error_received(self, error: Exception) -> None:
        """The kernel reports, say, that a port is closed; the timers deal with it."""
        self._count["quic_send_errors"] += 1

    # Identities

    def issued(self, peer: Peer, connection_id: bytes) -> None:
        """The connection will also be called by this ID."""
        self._peers[connection_id] = peer
        peer.connection_ids.add(connection_id)

    def retired(self, peer: Peer, connection_id: bytes) -> None:
        """It will not be called by this ID any more."""
        peer.connection_ids.discard(connection_id)
        if self._peers.get(connection_id) is peer:
            del self._peers[connection_id]

    def gone(self, peer: Peer) -> None:
        """Nothing is left of the connection."""
        for connection_id in list(peer.connection_ids):
            self.retired(peer, connection_id)
        self._handshaking.discard(peer)
        if (place := self._all.pop(peer, None)) is not None:
            self._admission.end(place)
            self._insight.ended(peer.quic)
            peer.quic.end_trace()

    # Packets

    def _received(self, data: bytes, address: Any) -> None:
        self._count["quic_packets_in"] += 1
        header = packet.parse(data)
        if header is None:
            self._count["quic_rubbish"] += 1
            return
        peer = self._peers.get(header.destination)
        if header.version is not None and header.version not in packet.SUPPORTED_VERSIONS:
            if peer is None:
                self._negotiate_version(header, len(data), address)
            return
        if peer is None:
            peer = self._nobody(header, data, address)
        if peer is None:
            return
        peer.receive(data, address)
        if peer in self._handshaking and peer.quic.handshake_complete:
            self._handshaking.discard(peer)
            self._admission.complete(self._all[peer])
            self._insight.shook_hands(peer.age)
        if not peer.quic.started:
            # It looked like an Initial and did not decrypt: no state for rubbish.
            self._count["quic_rubbish"] += 1
            peer.drop()

    def _negotiate_version(self, header: packet.Header, size: int, address: Any) -> None:
        reply = self._stateless.negotiation(header, size, clock())
        self._answer("quic_version_negotiations", reply, address)

    def _answer(self, counter: str, reply: bytes | None, address: Any) -> None:
        """Say something that no connection says, or count the packet as rubbish."""
        if reply is None:
            self._count["quic_rubbish"] += 1
        else:
            self._count[counter] += 1
            self._send(reply, address)

    def _nobody(self, header: packet.Header, data: bytes, address: Any) -> Peer | None:
        """A packet that no connection is for: a new one's first, or the rest of one that we lost
        with a restart, or rubbish."""
        if header.is_initial and len(data) >= packet.MIN_INITIAL and len(header.destination) >= 8:
            return self._knock(header, data, address)
        self._count["quic_unroutable"] += 1
        if header.version is None:
            self._answer("quic_resets", self._stateless.reset(data, clock()), address)
        return None

    def _knock(self, header: packet.Header, data: bytes, address: Any) -> Peer | None:
        proof = None
        if token := token_of(data):
            tokens = self._stateless.tokens
            proof = tokens.check(token, address, header.destination, time.time())
            self._count["quic_tokens_bad" if proof is None else "quic_tokens_good"] += 1
        verdict = self._admission.judge(address, proven=proof is not None)
        if verdict is Verdict.REFUSE or self._closing:
            self._count["quic_refused"] += 1
            return None
        if verdict is Verdict.RETRY:
            reply = self._stateless.retry(header, address, clock(), time.time())
            self._answer("quic_retries", reply, address)
            return None
        return self._accept(header, proof, address)

    def _accept(self, header: packet.Header, proof: Token | None, address: Any) -> Peer:
        self._certify(self._settings)
        if self._qlog is not None:
            self._qlog.choose(normalise(address)[0])
        original, retry_source = origin(proof, header)
        quic = Connection(
            self._settings,
            original,
            new_id=self._slot.connection_id,
            origin=Origin(
                retry_source=retry_source,
                proven=None if proof is None else address,
                reset_token=self._stateless.reset_token,
                later=partial(self._token_for_later, address),
            ),
            tickets=self._tickets,
        )
        peer = Peer(quic, self._send, self)
        peer.handler = _Greeter(self, peer, address)
        self._all[peer] = self._admission.begin(address)
        self._handshaking.add(peer)
        self.issued(peer, header.destination)
        self.issued(peer, quic.host_cid)
        self._count["quic_accepted"] += 1
        return peer

    def _token_for_later(self, address: Any) -> bytes:
        return self._stateless.tokens.for_later(address, time.time())

    def _send(self, data: bytes, address: Any) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT:
            self._count["quic_send_errors"] += 1
            return
        try:
            transport.sendto(data, address)
            self._count["quic_packets_out"] += 1
        except OSError:
            self._count["quic_send_errors"] += 1


class _Greeter:
    """Handles a connection until it is known what is spoken on it."""

    def __init__(self, door: Door, peer: Peer, address: Any) -> None:
        self._door = door
        self._peer = peer
        self._address = address

    def handle(self, event: QuicEvent) -> None:
        if not isinstance(event, ProtocolNegotiated):
            return
        if not self._door.welcome(self._peer, self._address, event.alpn_protocol):
            self._peer.close(NO_APPLICATION_PROTOCOL, "no such protocol here")

    def progressed(self) -> None:
        pass

    def lost(self, code: int, reason: str) -> None:
        pass


def normalise(address: Any) -> tuple[str, int]:
    """(address, port) as people write it: IPv4 that came through an IPv6 socket is IPv4."""
    host, port = str(address[0]), int(address[1])
    if ":" in host:
        mapped = ipaddress.IPv6Address(host.partition("%")[0]).ipv4_mapped
        if mapped is not None:
            host = str(mapped)
    return host, port
