"""The control socket: how the command line reaches a server that runs on the same data folder.

A connection carries one request and one reply, each a line of JSON.

What holds always: only the owner of the data folder can connect (the socket has mode 0600); a
request is at most MAX_LINE bytes and takes at most TIMEOUT seconds; a socket that a killed server
left behind is no obstacle to anybody.
May import: admin, config; storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog

from server import admin
from server.admin import No, Reply, Request
from server.config import Settings
from storage.base import Directory
from storage.open import open_storage
from storage.remote.unix import bind, remove

NAME = "control.sock"
"""The socket in the data folder."""
MAX_LINE = 65_536
"""Bytes of a request. A reply may be as long as there are records."""
TIMEOUT = 10.0
"""Seconds for one request and its reply."""

log = structlog.get_logger(__name__)


async def ask(settings: Settings, request: Request) -> Reply:
    """Have the running server do it, or do it here when none runs. Raises StorageError."""
    try:
        reader, writer = await asyncio.open_unix_connection(_path(settings), limit=2**26)
    except OSError:
        return await _ask_store(settings, request)
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        async with asyncio.timeout(TIMEOUT):
            line = await reader.readline()
        reply: Reply = msgspec.json.decode(line, type=Reply)
        return reply
    except (OSError, ValueError, TimeoutError, msgspec.MsgspecError) as error:
        return No(f"the running server did not answer: {error}")
    finally:
        writer.close()


@asynccontextmanager
async def listening(settings: Settings, directory: Directory) -> AsyncIterator[None]:
    """Take requests until the block is left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                await _answer(directory, reader, writer)
        except (OSError, TimeoutError) as error:
            log.warning("a request on the control socket came to nothing", reason=str(error))
        finally:
            writer.close()

    try:
        # Whoever holds the store is the only server here, so what lies there was left behind.
        bound = bind(settings.data_dir / NAME)
    except OSError as error:
        log.warning("no control socket; stop the server to use the command line", reason=str(error))
        yield
        return
    server = await asyncio.start_unix_server(serve, sock=bound, limit=MAX_LINE)
    try:
        yield
    finally:
        remove(settings.data_dir / NAME)
        server.close()
        await server.wait_closed()


async def _answer(
    directory: Directory, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        request = msgspec.json.decode(await reader.readline(), type=Request)
    except (ValueError, msgspec.MsgspecError) as error:
        reply: Reply = No(f"the request cannot be read: {error}")
    else:
        reply = await admin.carry_out(directory, request)
    writer.write(msgspec.json.encode(reply) + b"\n")
    await writer.drain()


async def _ask_store(settings: Settings, request: Request) -> Reply:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = open_storage(settings.database_url)
    try:
        return await admin.carry_out(storage.directory, request)
    finally:
        await storage.close()


def _path(settings: Settings) -> str:
    return str(settings.data_dir / NAME)
