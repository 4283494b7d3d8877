"""What parent and child tell each other, over a socket pair: lines of JSON.

    parent: StoreTask | WorkerTask, once; Leave
    child:  Ready | Failed

What holds always: the end of the channel means that the other side has gone. A child that loses its
parent leaves as if told to, so that it cannot live on unseen.
May import: config; transport's slots and descriptors.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec
from msgspec import Struct

from server.config import Settings
from transport.quic.steering import Slot
from transport.workers import Descriptors

MAX_LINE = 1_048_576
"""Bytes of a message."""


class StoreTask(Struct, frozen=True, tag=True):
    """Be the store process."""

    settings: dict[str, Any]


class WorkerTask(Struct, frozen=True, tag=True):
    """Be the worker of a slot."""

    settings: dict[str, Any]
    slot: Slot
    sockets: Descriptors


class Leave(Struct, frozen=True, tag=True):
    """Let clients move away for `patience` seconds, then end. With `hand_over` others serve the
    port already."""

    patience: float
    hand_over: bool = False


class Ready(Struct, frozen=True, tag=True):
    """The child does what it was started for. The store tells what it found."""

    email: str | None = None
    password: str | None = None
    empty: bool = False


class Failed(Struct, frozen=True, tag=True):
    """The child cannot; the reason is for people."""

    reason: str


Task = StoreTask | WorkerTask
_TASK = msgspec.json.Decoder(Task)
_LEAVE = msgspec.json.Decoder(Leave)
SAID = msgspec.json.Decoder(Ready | Failed)


def line(message: Task | Leave | Ready | Failed) -> bytes:
    """The message as it crosses."""
    return msgspec.json.encode(message) + b"\n"


def pack(settings: Settings) -> dict[str, Any]:
    """Settings for a task."""
    return settings.model_dump(mode="json")


def unpack(settings: dict[str, Any]) -> Settings:
    """Settings out of a task: exactly these, whatever the environment says."""
    return Settings(**settings)


class Channel:
    """The child's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.orphaned = False
        """Whether the parent has gone."""

    @classmethod
    async def open(cls, number: int) -> Channel:
        """Out of the descriptor the parent passed."""
        end = socket.socket(fileno=number)
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_LINE))

    async def task(self) -> Task:
        """What to be."""
        task: Task = _TASK.decode(await self._reader.readline())
        return task

    def say(self, message: Ready | Failed) -> None:
        """Tell the parent."""
        self._writer.write(line(message))

    async def told_to_leave(self, patience: float) -> Leave:
        """Wait until it is time to go; with `patience` when the parent has gone."""
        told = await self._reader.readline()
        if not told:
            self.orphaned = True
            return Leave(patience)
        return _LEAVE.decode(told)

    async def close(self) -> None:
        """Say nothing more."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # The parent has gone.
