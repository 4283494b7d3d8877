"""What can go wrong for a client, beside SessionClosed.

    TransportError
    ├── DialError          no session came about: network, timeout, certificate
    │   └── DialRefused    the server answered the handshake with another HTTP status
    ├── Refusal            the server refused one `send` or `call`
    ├── ClientStopped      the client gave up for good; carries the close code that made it
    ├── EntriesLost        whoever iterates over entries is too far behind
    └── OutboxFull         more unanswered than a client keeps

May import: transport.errors.
"""

from __future__ import annotations

from transport.errors import TransportError


class DialError(TransportError):
    """No session came about; trying again later may help."""


class DialRefused(DialError):
    """The server answered the handshake with `status`."""

    def __init__(self, status: int) -> None:
        hint = {403: ": the origin may not connect", 404: ": check the path of the URL"}
        super().__init__(f"the server answered {status}{hint.get(status, '')}")
        self.status = status


class Refusal(TransportError):
    """The server did not do it. `retry_after` in ms: worth trying again then; None: never."""

    def __init__(self, code: str, message: str, retry_after: int | None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after = retry_after


class ClientStopped(TransportError):
    """The client will not connect again."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"stopped ({code}): {reason}")
        self.code = code
        self.reason = reason


class EntriesLost(TransportError):
    """Entries came faster than they were taken; those past the bound are gone. Iterate anew."""


class OutboxFull(TransportError):
    """Too many messages or calls wait for an answer: wait for some before sending more."""
