"""A session's WebSocket on a link: no HTTP server, no queue and no task in between.

What holds always: one binary message is one frame of the session; what the peer said before its end
is received before the end is; a fault of the peer is reported once, its code goes out as the
Close frame, and then the connection ends.
Bounds: over MAX_MESSAGES unread messages the link is not read, so the client waits; of the pings in
one read the last is answered, and none while the client does not read.

May import: link, frames, websocket, errors, wire.
"""

from __future__ import annotations

import asyncio

from transport.errors import CloseCode, SessionClosed, wire_code
from transport.tcp import frames
from transport.tcp.frames import FrameReader, Opcode, Part
from transport.tcp.link import HIGH_WATER, Link
from transport.websocket import close_reason
from transport.wire.lane import Via

MAX_MESSAGES = 32
"""Messages that wait for the session. Over it the client waits."""


class LinkCarrier:
    """A `Carrier`, and the owner of its link."""

    __slots__ = ("_end", "_frames", "_link", "_messages", "_said", "_waiting")

    max_datagram = None

    def __init__(self, link: Link) -> None:
        self._link = link
        self._frames = FrameReader()
        self._messages: list[bytes] = []
        self._waiting: asyncio.Future[None] | None = None
        """`receive`, waiting."""
        self._end: tuple[int, str] | None = None
        """How it ended: the code and the reason."""
        self._said = False
        """Whether our Close frame was sent."""

    # The owner of the link.

    def received(self, data: bytes) -> None:
        ping = None
        for part in self._frames.receive(data):
            if part.kind is Opcode.BINARY:
                self._messages.append(part.data)
            elif part.kind is Opcode.PING:
                ping = part.data
            else:
                self._hear_close(part)
        if ping is not None and not self._said and self._link.waiting <= HIGH_WATER:
            self._link.write(frames.pong(ping))
        if len(self._messages) > MAX_MESSAGES:
            self._link.pause()
        self._wake()

    def ended(self) -> None:
        self._finish(CloseCode.ABNORMAL, "connection lost")

    # The carrier.

    async def receive(self) -> tuple[Via, bytes]:
        while not self._messages:
            fault, self._frames.fault = self._frames.fault, None
            if fault is not None:
                raise fault
            if self._end is not None:
                raise SessionClosed(*self._end, remote=True)
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        message = self._messages.pop(0)
        if not self._messages:
            self._link.resume()
        return Via.MESSAGE, message

    async def send(self, via: Via, data: bytes) -> None:
        if not self._said:
            self._link.write(frames.binary(data))
            await self._link.drained()

    async def close(self, code: int, reason: str) -> None:
        self._say_close(wire_code(code), close_reason(reason).encode())
        if (
            self._frames.over
        ):  # A fault, after which no answer would be understood; or the answer is here.
            self._finish(CloseCode.ABNORMAL, "closed")

    def abort(self) -> None:
        if self._end is None:
            self._link.abort()

    # The end.

    def _hear_close(self, part: Part) -> None:
        self._say_close(part.code, part.data)
        self._finish(part.code, part.data.decode(errors="replace"))

    def _say_close(self, code: int, reason: bytes) -> None:
        if not self._said:
            self._said = True
            self._link.write(frames.close(code, reason))

    def _finish(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = (code, reason)
            self._link.close()
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
