"""A worker: a server like any other, on sockets it inherited and with the store process's log.

What holds always: told to hand over, it accepts nothing new from then on, lets what is on its way
in arrive for SETTLE seconds, and only then asks its clients to move: nobody is turned away.
May import: app, store's places.
"""

from __future__ import annotations

import asyncio

from server import app, garbage
from server.workers import store
from server.workers.channel import Channel, Ready, WorkerTask, unpack
from transport.workers import adopt

SETTLE = 1.0
"""Seconds for handshakes that began before new connections were steered elsewhere."""


async def work(task: WorkerTask, channel: Channel) -> None:
    """Serve until told to leave. Raises at the start what a server of one process raises."""
    settings = unpack(task.settings)
    shared = app.Shared(adopt(task.slot, task.sockets), store.places(settings), settings.data_dir)
    async with (
        app.running(settings, shared) as (parts, listening),
        garbage.in_pieces(parts.metrics.paused),
    ):
        channel.say(Ready())
        leave = await channel.told_to_leave(settings.drain_seconds)
        if leave.hand_over:
            listening.hand_over()
            await asyncio.sleep(SETTLE)
        parts.leaving.now = True
        await parts.gateway.drain(leave.patience)
