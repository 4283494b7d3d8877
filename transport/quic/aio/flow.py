"""Flow control: credit for what was taken, and no more than a window of it.

What holds always:
- a peer may have PEER_BIDI and PEER_UNI streams open, a window of bytes unread on each (as much as
  the configuration begins with), and CONNECTION_WINDOW bytes in flight; more is a flow-control
  error of theirs (RFC 9000 section 4);
- credit on a stream is given back only for bytes that were taken (`hold`, `release`), so a stream
  that nobody reads stops its sender and no other stream.

May import: aio.bounds.
"""

from __future__ import annotations

from aioquic.quic.connection import MAX_STREAM_DATA_FRAME_CAPACITY, Limit, QuicConnection
from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream

from transport.quic.aio.bounds import CONNECTION_WINDOW, PEER_BIDI, PEER_UNI


class CreditLimit(Limit):
    """MAX_DATA that stays a fixed window ahead of what was used, raised a quarter at a time.

    aioquic doubles `value`; here an assignment is clipped.
    """

    _value: int

    def __init__(self, like: Limit) -> None:
        self._value = like.value
        self.used = 0
        super().__init__(like.frame_type, like.name, like.value)

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        clipped = min(value, self.used + CONNECTION_WINDOW)
        if clipped - self._value >= CONNECTION_WINDOW // 4:
            self._value = clipped


class Flow(QuicConnection):
    """What a peer may send, and what we may still send."""

    _held: dict[int, int]
    """Bytes by stream that wait for the application."""

    def _limit_peer(self) -> None:
        """Our limits instead of aioquic's; once, when the connection is made."""
        self._held = {}
        self._local_max_data = CreditLimit(self._local_max_data)
        for limit, count in (
            (self._local_max_streams_bidi, PEER_BIDI),
            (self._local_max_streams_uni, PEER_UNI),
        ):
            limit.value = limit.sent = count

    def unacked(self, stream_id: int) -> int:
        """Bytes written to a stream that the peer has not acknowledged. 0 for a finished one."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender._reset_error_code is not None:
            return 0
        return stream.sender._buffer_stop - stream.sender._buffer_start

    def can_send(self, stream_id: int) -> bool:
        """Whether the sending half is open: neither ended, nor reset, nor asked to stop."""
        if self._close_event is not None:
            return False
        stream = self._streams.get(stream_id)
        if stream is None:
            return False
        sender = stream.sender
        return (
            not sender.is_finished
            and sender._buffer_fin is None
            and (sender._reset_error_code is None)
        )

    def abandon(self, stream_id: int, code: int) -> None:
        """Reset our half and ask the peer to stop theirs, as far as there is anything to end."""
        stream = self._streams.get(stream_id)
        if stream is None or self._close_event is not None:
            return
        if not stream.sender.is_finished:
            self.reset_stream(stream_id, code)
        self.stop(stream_id, code)

    def stop(self, stream_id: int, code: int) -> None:
        """Ask the peer to stop sending, when it has not ended already."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            self.stop_stream(stream_id, code)

    def hold(self, stream_id: int, size: int) -> None:
        """Withhold credit for bytes of a stream that wait for the application."""
        if size:
            self._held[stream_id] = self._held.get(stream_id, 0) + size

    def release(self, stream_id: int, size: int) -> bool:
        """The application took them. Says whether the peer should be told of new credit now."""
        left = self._held.get(stream_id, 0) - size
        if left > 0:
            self._held[stream_id] = left
        else:
            self._held.pop(stream_id, None)
        stream = self._streams.get(stream_id)
        return stream is not None and self._credit_due(stream) is not None

    def release_all(self, stream_id: int) -> None:
        """Nothing of this stream waits any more, whatever was held."""
        self._held.pop(stream_id, None)

    def _credit_due(self, stream: QuicStream) -> int | None:
        """The next MAX_STREAM_DATA, when half the window was taken since the last."""
        if not stream.max_stream_data_local or stream.receiver.is_finished:
            return None
        assert stream.stream_id is not None  # only the CRYPTO streams have none
        taken = stream.receiver.starting_offset() - self._held.get(stream.stream_id, 0)
        window = self.configuration.max_stream_data
        if stream.max_stream_data_local - taken > window // 2:
            return None
        return taken + window

    def _write_stream_limits(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream
    ) -> None:
        """Instead of aioquic's, which doubles the limit whether or not anybody reads."""
        limit, half = stream.max_stream_data_local, self.configuration.max_stream_data // 2
        if limit == stream.max_stream_data_local_sent and (
            not limit or limit - stream.receiver.starting_offset() > half
        ):
            return  # most streams of most packets
        credit = self._credit_due(stream)
        if credit is not None:
            stream.max_stream_data_local = credit
        if stream.max_stream_data_local_sent == stream.max_stream_data_local:
            return
        assert stream.stream_id is not None  # only the CRYPTO streams have none
        buffer = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA,
            capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
            handler=self._on_max_stream_data_delivery,
            handler_args=(stream,),
        )
        buffer.push_uint_var(stream.stream_id)
        buffer.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local
