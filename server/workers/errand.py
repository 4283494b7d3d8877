"""What a child does from its task to its end.

What holds always: it leaves when the parent says so, or has gone. What keeps it from starting is
told to the parent in a sentence.
May import: channel, store, worker; logs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop

from server import logs, threads
from server.config import ConfigError
from server.workers import store, worker
from server.workers.channel import Channel, Failed, StoreTask, unpack
from storage.base import StorageError
from transport.tls import CertificateError

FAULTS = (ConfigError, StorageError, CertificateError, OSError)
"""What people can mend."""
COMM = Path("/proc/self/comm")


async def run(number: int) -> int:
    """Do what the parent asks on the channel; the exit code."""
    channel = await Channel.open(number)
    task = await channel.task()
    settings = unpack(task.settings)
    logs.configure(settings.log_format, settings.log_level)
    try:
        if isinstance(task, StoreTask):
            _call_itself("store")
            await store.keep(task, channel)
        else:
            _call_itself(f"worker {task.slot.socket}")
            await worker.work(task, channel)
    except FAULTS as error:
        channel.say(Failed(str(error)))
        return 1
    finally:
        await channel.close()
    return 0


def _call_itself(name: str) -> None:
    """The name of this process in the logs, and for `ps` and `top`."""
    structlog.contextvars.bind_contextvars(process=name)
    with suppress(OSError):
        COMM.write_text(f"tw {name}")


def begin(number: int) -> int:
    """Do what is asked on the channel with this descriptor; the exit code."""
    threads.take_turns()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(number))
