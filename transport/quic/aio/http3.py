"""HTTP/3 on a Connection, either role, with WebTransport as browsers ask for it.

What holds always: HEADERS and other frames that must be whole are at most MAX_PARTIAL_FRAME bytes;
of a finished WebTransport stream nothing is kept.
May import: aio.bounds, aio.connection.
"""

from __future__ import annotations

from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import (
    ErrorCode,
    FrameType,
    H3Connection,
    H3Stream,
    encode_frame,
)
from aioquic.h3.events import H3Event
from aioquic.quic.events import QuicEvent, StreamDataReceived

from transport.quic.aio.bounds import MAX_FIELD_SECTION, MAX_PARTIAL_FRAME
from transport.quic.aio.connection import Connection

H3_NO_ERROR = int(ErrorCode.H3_NO_ERROR)
H3_INTERNAL_ERROR = int(ErrorCode.H3_INTERNAL_ERROR)
H3_EXCESSIVE_LOAD = int(ErrorCode.H3_EXCESSIVE_LOAD)
H3_REQUEST_REJECTED = int(ErrorCode.H3_REQUEST_REJECTED)
H3_REQUEST_CANCELLED = int(ErrorCode.H3_REQUEST_CANCELLED)
H3_MESSAGE_ERROR = int(ErrorCode.H3_MESSAGE_ERROR)

# Safari 26.4 opens WebTransport only when it sees the settings of draft 7 and later beside those of
# draft 2 that aioquic sends. 0x2c7cf000 (draft 15) must stay out: it promises flow control and
# RESET_STREAM_AT.
SETTING_WT_MAX_SESSIONS_DRAFT_7 = 0xC671706A
SETTING_WT_MAX_SESSIONS = 0x14E9CD29
SETTING_MAX_FIELD_SECTION_SIZE = 0x6


class Http3(H3Connection):
    """HTTP/3 on a Connection, with WebTransport as Chromium, Firefox and Safari ask for it."""

    def __init__(self, quic: Connection) -> None:
        self.quic = quic
        super().__init__(quic, enable_webtransport=True)

    def handle_event(self, event: QuicEvent) -> list[H3Event]:
        """As aioquic's, with a bound on what it keeps of a frame that is not whole yet."""
        events = super().handle_event(event)
        if isinstance(event, StreamDataReceived):
            stream = self._stream.get(event.stream_id)
            if stream is not None and len(stream.buffer) > MAX_PARTIAL_FRAME:
                self.quic.close(H3_EXCESSIVE_LOAD, reason_phrase="frame too large")
                return []
        return events

    def end_sending(self, stream_id: int) -> None:
        """Note that our half of a stream was ended below HTTP/3, lest it be kept for ever."""
        stream = self._stream.get(stream_id)
        if stream is not None:
            stream.sending_ended = True
            if stream.is_ended():
                del self._stream[stream_id]

    def open_session_stream(self, session_id: int) -> int:
        """Open a bidirectional stream of a WebTransport session. aioquic does not note that it is
        one and would read the answers as HTTP/3 frames."""
        stream_id = self.create_webtransport_stream(session_id)
        stream = self._stream[stream_id] = H3Stream(stream_id)
        stream.frame_type = FrameType.WEBTRANSPORT_STREAM
        stream.session_id = session_id
        return stream_id

    def send_goaway(self, stream_id: int) -> None:
        """Say that requests from this stream ID on will not be served (RFC 9114 section 5.2)."""
        control = self._local_control_stream_id
        if control is not None and self.quic.can_send(control):
            frame = encode_frame(FrameType.GOAWAY, encode_uint_var(stream_id))
            self.quic.send_stream_data(control, frame)

    @property
    def streams_kept(self) -> int:
        """Streams there is state for, the control streams among them."""
        return len(self._stream)

    def _get_local_settings(self) -> dict[int, int]:
        return super()._get_local_settings() | {
            SETTING_MAX_FIELD_SECTION_SIZE: MAX_FIELD_SECTION,
            SETTING_WT_MAX_SESSIONS_DRAFT_7: 1,
            SETTING_WT_MAX_SESSIONS: 1,
        }
