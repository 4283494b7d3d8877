"""The error tree of the transport, and the close codes that cross the wire.

    TransportError
    ├── LocalProtocolError     we tried something the protocol forbids: a bug on this side
    ├── RemoteProtocolError    the peer broke the protocol; carries the close code it gets
    └── SessionClosed          the session is over; carries the code and who said so

Close codes come in ranges that tell a client what to do next (docs/protocol.md, "Close codes").
They are application codes of RFC 6455 section 7.4.2 (4000 to 4999), and the same number is used as
the code of WT_CLOSE_SESSION, so that a client has one table for every transport.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a session ended. 40xx: resume. 41xx: get a new token, then resume. 42xx: stop."""

    NORMAL = 1000
    """Said by a client that leaves on purpose."""
    ABNORMAL = 1006
    """Never sent: the transport vanished without a word (RFC 6455 section 7.1.5). Resume."""

    GOING_AWAY = 4000
    SLOW_READER = 4001
    HEARTBEAT_TIMEOUT = 4002
    INTERNAL = 4003
    OVERLOADED = 4004

    UNAUTHENTICATED = 4100
    TOKEN_EXPIRED = 4101

    PROTOCOL_ERROR = 4200
    FRAME_TOO_LARGE = 4201
    UNSUPPORTED_VERSION = 4202
    FORBIDDEN = 4203
    HELLO_TIMEOUT = 4204
    FLOODING = 4205


class Advice(IntEnum):
    """What a client does after a close."""

    RESUME = 0
    REAUTHENTICATE = 1
    STOP = 2


def advice(code: int) -> Advice:
    """Map a close code to what the client should do. Unknown codes outside 41xx and 42xx resume."""
    if code == CloseCode.NORMAL or 4200 <= code < 4300:
        return Advice.STOP
    if 4100 <= code < 4200:
        return Advice.REAUTHENTICATE
    return Advice.RESUME


def wire_code(code: int) -> int:
    """The code to close a transport with: `code` where a WebSocket may carry it, else NORMAL.

    RFC 6455 section 7.4 leaves 4000 to 4999 to applications; a peer may have said anything.
    """
    return code if 4000 <= code < 5000 else CloseCode.NORMAL


class TransportError(Exception):
    """Root of everything that transport raises on purpose."""


class LocalProtocolError(TransportError):
    """This side asked for something the protocol forbids in its present state."""


class RemoteProtocolError(TransportError):
    """The peer sent something the protocol forbids."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(f"{reason} (close code {int(code)})")
        self.code = code
        self.reason = reason


class SessionClosed(TransportError):
    """The session is over. `code` is a close code, `remote` says whether the peer ended it."""

    def __init__(self, code: int, reason: str = "", *, remote: bool = False) -> None:
        super().__init__(f"session closed by {'peer' if remote else 'us'}: {code} {reason}".strip())
        self.code = code
        self.reason = reason
        self.remote = remote
