"""A `Session` out of any carrier, either side: `wire.machine.Machine` in a `Shell`.

Bounds. Outwards MAX_QUEUED bytes, over it SLOW_READER. Inwards MAX_UNREAD frames: over it a server
closes with FLOODING, and a client stops reading.

May import: shell, carrier, session, wire, errors.
"""

from __future__ import annotations

import asyncio

from transport.carrier import Carrier
from transport.errors import CloseCode
from transport.session import MAX_QUEUED, MAX_UNREAD, SessionInfo
from transport.shell import Shell
from transport.wire.frames import Frame
from transport.wire.machine import Machine, Role


class Driver(Shell[Frame, Machine]):
    """A `Session`."""

    __slots__ = ("_info",)

    def __init__(self, carrier: Carrier, info: SessionInfo, role: Role) -> None:
        self._info = info
        machine = Machine(role, _time(), max_datagram=carrier.max_datagram)
        super().__init__(carrier, machine, max_unread=MAX_UNREAD, patient=role is Role.CLIENT)

    def __str__(self) -> str:
        return str(self._info.id)

    @property
    def info(self) -> SessionInfo:
        return self._info

    def send(self, frame: Frame, *, hedge: bool = True) -> None:
        now = self._loop.time()
        self._raise_if_closed()
        self._machine.send(frame, now, hedge=hedge)
        if self.waiting > MAX_QUEUED:
            self._machine.close(CloseCode.SLOW_READER, "too much waits to be read", now)
        self._flush(now)


def _time() -> float:
    return asyncio.get_running_loop().time()
