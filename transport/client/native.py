"""The client's side of the session without HTTP: ALPN `tradewind/1` over QUIC, with early data.

With a ticket the carrier is there before anything has left: what the session says at once goes out
beside the first packet. It is proved only by `welcome`; until then `Client` keeps its other ways
ready. What the server does not take early is sent again, and what it takes twice counts once,
because every message carries its client_id.

What holds always: a ticket is used for one attempt; when the carrier has ended, the connection is
left with a word, when it is aborted before that, without one.
May import: client, quic, wire, errors.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from aioquic.tls import SessionTicket

from transport.client.errors import DialError
from transport.client.race import race
from transport.client.tickets import Remembered, TicketCache
from transport.client.trust import Trust
from transport.client.udp import STAGGER, believed, next_piece
from transport.errors import CloseCode, SessionClosed, wire_code
from transport.quic import dial as quic
from transport.quic.aio.bounds import HIGH_WATER
from transport.quic.native_dial import Memory, NativeClient
from transport.quic.roaming import Roaming
from transport.session import CLOSE_LINGER
from transport.wire.lane import Via


class NativeCarrier:
    """A `Carrier` that is a QUIC connection."""

    def __init__(self, client: NativeClient, *, datagrams: bool) -> None:
        self._client = client
        self._ended = False
        self.early = client.early
        self.max_datagram = client.max_datagram_size if datagrams else 0

    async def receive(self) -> tuple[Via, bytes]:
        if self._ended:
            raise SessionClosed(CloseCode.ABNORMAL, "connection lost", remote=True)
        piece = await next_piece(self._client)
        if isinstance(piece, quic.Closed):
            self._ended = True
            raise SessionClosed(piece.code, piece.reason, remote=True)
        return piece

    async def send(self, via: Via, data: bytes) -> None:
        if via is Via.DATAGRAM:
            self._client.send_datagram(data)
        else:
            self._client.send_stream(data)
            await self._client.drained(HIGH_WATER)

    async def close(self, code: int, reason: str) -> None:
        # The close takes the stream with it: what was written before should have arrived.
        try:
            async with asyncio.timeout(CLOSE_LINGER / 2):
                await self._client.drained(0)
        except TimeoutError:
            pass
        self._client.close(wire_code(code), reason)

    def abort(self) -> None:
        if self._ended:
            self._client.leave()
        else:
            self._client.drop()

    def move(self, local: tuple[str, int] | None = None) -> None:
        self._client.move(local)


async def connect_native(
    host: str,
    port: int,
    trust: Trust,
    *,
    timeout: float,
    datagrams: bool = True,
    roaming: Roaming | None = None,
    tickets: TicketCache | None = None,
    early: bool = False,
) -> NativeCarrier:
    """Connect. `tickets` keeps what the server gives for next time; when there is one from last
    time and `early` is asked for, the carrier comes at once, and is `early`."""
    dialling = _Dialling(host, port, trust, roaming or Roaming(), tickets)
    remembered = tickets.take(host, port) if tickets is not None and early else None
    if remembered is not None:
        family, name, number = remembered.address
        address = (socket.AddressFamily(family), (name, number))
        client = dialling.client(address, remembered.ticket)
        if client.early:
            return NativeCarrier(client, datagrams=datagrams)
        client.drop()
    try:
        async with asyncio.timeout(timeout):
            addresses = await quic.resolve(host, port)
            attempts = [partial(dialling.attempt, address, timeout) for address in addresses]
            client = await race(attempts, STAGGER, NativeClient.leave)
    except (quic.DialError, DialError, TimeoutError, OSError) as error:
        raise DialError(f"cannot connect to {host} port {port} over UDP: {error}") from error
    return NativeCarrier(client, datagrams=datagrams)


class _Dialling:
    """One attempt to reach a server."""

    def __init__(
        self, host: str, port: int, trust: Trust, roaming: Roaming, tickets: TicketCache | None
    ) -> None:
        self._host = host
        self._port = port
        self._trust = believed(trust)
        self._roaming = roaming
        self._tickets = tickets

    def client(self, address: quic.Address, ticket: SessionTicket | None) -> NativeClient:
        """A connection that has said nothing yet."""
        tickets = self._tickets
        memory = Memory(ticket=ticket)
        if tickets is not None:
            memory = Memory(
                ticket=ticket,
                token=tickets.token(self._host, self._port),
                on_ticket=partial(self._keep, address),
                on_token=partial(tickets.put_token, self._host, self._port),
            )
        return NativeClient(self._host, address, self._trust, memory, self._roaming)

    async def attempt(self, address: quic.Address, timeout: float) -> NativeClient:
        """Shake hands. Raises DialError."""
        try:
            client = self.client(address, None)
        except OSError as error:
            raise DialError(str(error)) from error
        try:
            await client.established(timeout)
        except quic.DialError as error:
            client.drop()
            raise DialError(str(error)) from error
        except BaseException:
            client.leave()
            raise
        return client

    def _keep(self, address: quic.Address, ticket: SessionTicket) -> None:
        family, target = address
        if self._tickets is not None:
            remembered = Remembered(ticket, (int(family), str(target[0]), int(target[1])))
            self._tickets.put(self._host, self._port, remembered)
