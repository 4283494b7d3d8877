"""Connections to PostgreSQL, with the settings and timeouts that every one of ours has.

What holds always: a connection is to a server that can be written; its commits are flushed to disk
before they return, whatever the server's default is (a stricter one stays); it is given up after
named times, by us and by the server, so that neither a server nor a worker that froze in the middle
of a transaction holds up the others.

The server must be reached directly, or through a pooler in session mode: statements are prepared.

May import: base, url, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from storage.postgres.errors import translate
from storage.url import PostgresPlace

T = TypeVar("T")

CONNECT = 3.0
"""Seconds for making a connection, all hosts of the URL together."""
STATEMENT = 10.0
"""Seconds after which the server gives a statement up."""
IDLE = 3.0
"""Seconds after which the server ends a session that stands still within a transaction: a worker
that froze would hold up all who append to the same conversations."""
DISCONNECT = 2.0
"""Seconds for a goodbye."""

SETTINGS = {
    "application_name": "tradewind",
    "statement_timeout": f"{STATEMENT * 1000:.0f}",
    "idle_in_transaction_session_timeout": f"{IDLE * 1000:.0f}",
    # A host that vanished lets go of its locks within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # Short statements only: compiling one would take longer than running it.
    "jit": "off",
}
DURABLE = """
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""


async def connect(
    place: PostgresPlace, settings: Mapping[str, str] | None = None
) -> asyncpg.Connection:
    """A connection with our settings, and `settings` over them. Raises what the driver raises."""
    connection = await asyncpg.connect(
        place.url,
        timeout=CONNECT,
        command_timeout=STATEMENT + 1.0,
        server_settings={**SETTINGS, **(settings or {})},
        target_session_attrs="read-write",
    )
    try:
        await connection.execute(DURABLE)
    except BaseException:
        connection.terminate()
        raise
    return connection


@asynccontextmanager
async def connected(
    place: PostgresPlace, settings: Mapping[str, str] | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """A connection for a while. What is raised meanwhile is raised in the seam's terms."""
    try:
        connection = await connect(place, settings)
        try:
            yield connection
        finally:
            await disconnect(connection)
    except Exception as error:
        raise translate(error, place) from error


async def disconnect(connection: asyncpg.Connection) -> None:
    """Say goodbye, or cut it when nobody hears. Never raises."""
    try:
        await connection.close(timeout=DISCONNECT)
    except Exception:
        connection.terminate()


def run_aside(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in a thread of its own, for callers that do not await."""
    with ThreadPoolExecutor(1, thread_name_prefix="aside") as thread:
        return thread.submit(lambda: asyncio.run(make())).result()
