"""The client's half of WebSocket framing where the handshake was another protocol's: RFC 8441 and
9220. Sans-IO, by wsproto.

What holds always: bytes in any cut give the same messages; after `end` is set nothing comes out.
Bound: a message over MAX_MESSAGE ends it as FRAME_TOO_LARGE.
May import: errors, wire.
"""

from __future__ import annotations

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError as NotNow
from wsproto.utilities import RemoteProtocolError as BadFraming

from transport.errors import CloseCode, RemoteProtocolError, SessionClosed, wire_code
from transport.websocket import close_reason
from transport.wire.codec import MAX_FRAME

MAX_MESSAGE = 2 * MAX_FRAME
"""Between MAX_FRAME and this a message comes through, and the machine says that it is too large."""
TOO_BIG = 1009
"""RFC 6455 section 7.4.1: how a WebSocket library refuses a message that is too long."""


class Framing:
    """Messages to bytes and back."""

    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.CLIENT)
        self._parts: list[bytes] = []
        self._size = 0
        self.end: SessionClosed | RemoteProtocolError | None = None
        """Why no more messages will come."""
        self.answers = bytearray()
        """Bytes to send because of what came: pongs, and the answer to a Close."""

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes; return the messages that are whole now."""
        messages: list[bytes] = []
        if self.end is not None:
            return messages
        try:
            self._connection.receive_data(data)
            for event in self._connection.events():
                self._take(event, messages)
        except BadFraming as error:
            self.end = RemoteProtocolError(CloseCode.PROTOCOL_ERROR, f"bad WebSocket: {error}")
        except RemoteProtocolError as error:
            self.end = error
        return messages

    def lost(self) -> None:
        """The bytes ended."""
        self.end = self.end or SessionClosed(CloseCode.ABNORMAL, "connection lost", remote=True)

    def message(self, data: bytes) -> bytes:
        """Frame a binary message; nothing after a close."""
        return self._send(BytesMessage(data))

    def text(self, text: str) -> bytes:
        """Frame a text message, which Tradewind never does, so that servers can be tested."""
        return self._send(TextMessage(text))

    def close(self, code: int, reason: str) -> bytes:
        """Frame a Close; nothing when the other side was first."""
        return self._send(CloseConnection(wire_code(code), close_reason(reason)))

    def _send(self, event: BytesMessage | TextMessage | CloseConnection) -> bytes:
        try:
            return self._connection.send(event)
        except NotNow:
            return b""

    def _take(self, event: object, messages: list[bytes]) -> None:
        if isinstance(event, BytesMessage):
            self._parts.append(bytes(event.data))
            self._size += len(event.data)
            if self._size > MAX_MESSAGE:
                raise RemoteProtocolError(CloseCode.FRAME_TOO_LARGE, "message too long")
            if event.message_finished:
                messages.append(b"".join(self._parts))
                self._parts.clear()
                self._size = 0
        elif isinstance(event, TextMessage):
            raise RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "text message")
        elif isinstance(event, Ping):
            self.answers += self._connection.send(event.response())
        elif isinstance(event, CloseConnection):
            self.answers += self._send(event.response())
            self.end = closed_by(event.code, event.reason)


def closed_by(code: int, reason: str | None) -> SessionClosed:
    """The end that a Close frame of the server means."""
    code = CloseCode.FRAME_TOO_LARGE if code == TOO_BIG else code
    return SessionClosed(code, reason or "", remote=True)
