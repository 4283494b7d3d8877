"""Two QUIC connections joined without a network: aioquic's time is an argument."""

from __future__ import annotations

from pathlib import Path

from aioquic.quic.events import StreamDataReceived

from transport.quic.aio.configuration import configuration
from transport.quic.aio.connection import Connection
from transport.tls import Certificates


class Pair:
    """A client and a server, joined without a network."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        server_side = configuration(is_client=False)
        Certificates.development(folder).apply_to(server_side)
        client_side = configuration(is_client=True, server_name="localhost")
        client_side.verify_mode = 0
        self.client = Connection(client_side)
        self.client.connect(("server", 1), self.now)
        first = self.client.original_destination_connection_id
        self.server = Connection(server_side, first)
        self.events: dict[Connection, list[object]] = {self.client: [], self.server: []}
        self.exchange()

    def exchange(self) -> None:
        """Carry packets and run timers until neither side has anything to say."""
        for _ in range(500):
            moved = self._carry(self.client, self.server, ("client", 1))
            moved += self._carry(self.server, self.client, ("server", 1))
            self.now += 0.001
            if not moved:
                return
        raise AssertionError("the two never fall silent")

    def _carry(self, source: Connection, target: Connection, address: tuple[str, int]) -> int:
        packets = source.datagrams_to_send(self.now) if source.started else []
        for data, _ in packets:
            target.receive_datagram(data, address, self.now)
        for side in (source, target):
            while (event := side.next_event()) is not None:
                self.events[side].append(event)
        return len(packets)

    def received(self, side: Connection, stream_id: int) -> int:
        return sum(
            len(event.data)
            for event in self.events[side]
            if isinstance(event, StreamDataReceived) and event.stream_id == stream_id
        )
