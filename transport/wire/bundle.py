"""The lane with several frames in a datagram, for a link: many small messages, one steady flow.

Datagrams that leave at the same moment share a packet anyway, and are lost together. Counted one by
one that would look like bursts, and call for more copies, which would share packets even more. So
here a datagram is what shares a packet, and its loss is counted once.

    datagram   seq(varint) part*      part   number(varint) back(varint) length(varint) frame

What holds always: what holds of the lane; copies of one frame are in different datagrams, because
they do not come out of the same `poll`.
May import: lane, sender, hedge, varint, errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from transport.errors import CloseCode, RemoteProtocolError
from transport.wire import varint
from transport.wire.hedge import Policy
from transport.wire.lane import MAX_SEQ, Counters, LaneReceiver, Packet, Via
from transport.wire.sender import SEQ_ROOM, LaneSender

WINDOW = 8_192
"""How many frames past the last one on the stream count: at thousands a second a lost packet of the
stream is waited for while as many pass by."""
_LENGTH = 2
"""Bytes of the length of a frame that fits in a datagram."""


class BundleSender(LaneSender):
    """As the lane's, but a datagram is as full as it gets."""

    __slots__ = ("_room",)
    window: ClassVar[int] = WINDOW

    def __init__(self, max_datagram: int, counters: Counters, policy: Policy) -> None:
        super().__init__(max(0, max_datagram - _LENGTH), counters, policy)
        self._room = max_datagram - SEQ_ROOM

    def poll(self, now: float) -> list[Packet]:
        """As the lane's."""
        out, bundle = [], b""
        for packet in super().poll(now):
            if packet.via is not Via.DATAGRAM:
                out.append(packet)
                continue
            if len(bundle) + len(packet.data) > self._room:
                out.append(self._sealed(bundle))
                bundle = b""
            bundle += packet.data
        if bundle:
            out.append(self._sealed(bundle))
        return out

    def _part(self, head: bytes, frame: bytes) -> bytes:
        return head + varint.encode(len(frame)) + frame

    def _datagram(self, data: bytes) -> Packet:
        return Packet(Via.DATAGRAM, data)

    def _sealed(self, bundle: bytes) -> Packet:
        return super()._datagram(bundle)


class BundleReceiver(LaneReceiver):
    """As the lane's."""

    __slots__ = ()
    window: ClassVar[int] = WINDOW

    def receive_datagram(self, data: bytes, now: float) -> Iterator[bytes]:
        """Take one datagram; yield the frames that can be handed up now."""
        seq, at = _number(data, 0)
        if not 1 <= seq <= MAX_SEQ:
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad datagram header")
        self._note(seq, now)
        while at < len(data):
            number, at = _number(data, at)
            back, at = _number(data, at)
            length, at = _number(data, at)
            frame = data[at : at + length]
            at += length
            if back > max(number - 1, 0) or len(frame) < length:
                raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad part of a datagram")
            yield from self._datagram_frame(number, back, frame)


def _number(data: bytes, at: int) -> tuple[int, int]:
    found = varint.decode(data, at)
    if found is None:
        raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "datagram cut short")
    return found
