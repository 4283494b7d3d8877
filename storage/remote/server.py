"""Answers the calls of another process with a store that this one owns.

What holds always: calls of a connection are handed to the store in the order in which they came,
and answered in the order in which it resumes them; a call that has begun is finished even if who
asked has gone; leaving waits for all of them.
Bounds: over MAX_UNDER_WAY calls, or MAX_UNSENT bytes of answers that the other side does not take,
a connection is not read until there is room again.
May import: base, framing, messages, unix.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Raw

from storage.base import Directory, Journal, MessageLog, Search, StoreUnavailable
from storage.remote.framing import Splitter, frame
from storage.remote.messages import METHODS, Call, Done, Method, decode_call, encode, failed
from storage.remote.unix import bind, remove

MAX_UNDER_WAY = 16_384
"""Calls of one connection: more than its other end lets happen by itself."""
MAX_UNSENT = 16_777_216

log = structlog.get_logger("tradewind.store")


def serving(
    path: Path,
    messages: MessageLog,
    directory: Directory,
    search: Search | None = None,
    journal: Journal | None = None,
) -> AbstractAsyncContextManager[None]:
    """Answer for a store at `path` until the block is left. Raises OSError when it cannot be
    bound."""
    return answering(path, (messages, directory, search, journal), METHODS)


@asynccontextmanager
async def answering(
    path: Path, seams: Sequence[object], table: Mapping[str, Method]
) -> AsyncIterator[None]:
    """Answer the calls of a table with what has its methods."""
    methods: dict[str, Callable[..., Awaitable[Any]]] = {
        name: getattr(seam, name) for name in table for seam in seams if hasattr(seam, name)
    }
    connections: set[_Connection] = set()
    bound = bind(path)
    fault: Exception | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Connection(table, methods, tasks, connections), sock=bound
            )
            try:
                yield
            except Exception as error:
                fault = error  # Not raised through the group, which would wrap it.
            finally:
                server.close()
                remove(path)
                for connection in connections:
                    connection.stop()
    finally:
        for connection in connections:
            connection.close()
    if fault is not None:
        raise fault


class _Connection(asyncio.Protocol):
    """One process that asks."""

    def __init__(
        self,
        table: Mapping[str, Method],
        methods: dict[str, Callable[..., Awaitable[Any]]],
        tasks: asyncio.TaskGroup,
        connections: set[_Connection],
    ) -> None:
        self._table = table
        self._methods = methods
        self._tasks = tasks
        self._connections = connections
        self._splitter = Splitter()
        self._under_way = 0
        self._full = False
        self._stopped = False

    def stop(self) -> None:
        """Take no more calls."""
        self._stopped = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def close(self) -> None:
        """Send what is answered, and end."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's
        self._transport.set_write_buffer_limits(high=MAX_UNSENT)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)

    def pause_writing(self) -> None:
        self._full = True
        self._regulate()

    def resume_writing(self) -> None:
        self._full = False
        self._regulate()

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._splitter.feed(data):
                call = decode_call(message)
                self._under_way += 1
                self._tasks.create_task(self._answer(call))
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("store.rubbish", reason=str(error))
            self.close()
        self._regulate()

    def _regulate(self) -> None:
        if self._stopped or self._transport.is_closing():
            return
        if self._full or self._under_way >= MAX_UNDER_WAY:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    async def _answer(self, call: Call) -> None:
        try:
            answer = encode(Done(call.id, Raw(encode(await self._carry_out(call)))))
        except Exception as error:
            if type(error).__module__ not in ("storage.base", "builtins"):
                log.error("store.call_failed", method=call.method, exc_info=error)
            answer = encode(failed(call.id, error))
        self._under_way -= 1
        if not self._transport.is_closing():
            self._transport.write(frame(answer))
        self._regulate()

    async def _carry_out(self, call: Call) -> Any:
        method = self._table.get(call.method)
        if method is None:
            raise ValueError(f"the store has no method {call.method}")
        read = method.arguments.decode(call.arguments)
        names = method.parameters
        given = {name: getattr(read, name) for name in names}
        if call.method not in self._methods:
            raise StoreUnavailable(f"this store does not have {call.method}")
        return await self._methods[call.method](**given)
