"""What is wrong with a PostgreSQL server, and how to mend it.

May import: base, diagnosis, schema, connect, pool, search, url.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import asyncpg

from storage.base import StorageError
from storage.diagnosis import Finding, Level, indexed
from storage.postgres import pool, schema
from storage.postgres.connect import connected
from storage.postgres.search import count_unindexed
from storage.schema import check_version
from storage.url import PostgresPlace

OLDEST = 130_000
"""PostgreSQL 13."""
PER_PROCESS = pool.SIZE + 1
"""Connections that each worker may hold."""
LITTLE_ROOM = 1_073_741_824
"""Free bytes under which the doctor warns."""

SERVER = """
    SELECT name, setting FROM pg_settings WHERE name IN (
        'server_version', 'server_version_num', 'synchronous_commit', 'fsync', 'full_page_writes',
        'max_connections', 'superuser_reserved_connections', 'server_encoding'
    )
"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
DEFAULT = "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'"
FOLDER = """
    SELECT current_setting('data_directory', true) WHERE inet_server_addr() IS NULL
        AND pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
"""


async def examine(place: PostgresPlace) -> list[Finding]:
    """Look it over. Never raises for what is wrong with it."""
    try:
        async with connected(place) as connection:
            return await _examine(connection, place)
    except StorageError as error:
        says, _, mend = str(error).rpartition("; ")
        return [Finding("storage", Level.FAIL, says or mend, mend if says else "see above")]


async def _examine(connection: asyncpg.Connection, place: PostgresPlace) -> list[Finding]:
    server: dict[str, str] = {row[0]: row[1] for row in await connection.fetch(SERVER)}
    version = int(server["server_version_num"])
    used = await connection.fetchval(CONNECTIONS)
    folder = await connection.fetchval(FOLDER)
    return [
        Finding("storage", Level.OK, f"{place.shown} can be reached and written"),
        _version(server["server_version"], version),
        await _schema(connection, place),
        _sync(server, await connection.fetchval(DEFAULT)),
        _connections(server, used),
        _encoding(server["server_encoding"]),
        *_room(folder),
        *await _index(connection),
    ]


def _version(name: str, version: int) -> Finding:
    if version >= OLDEST:
        return Finding("PostgreSQL", Level.OK, name)
    return Finding("PostgreSQL", Level.FAIL, f"{name} is too old", "take version 13 or later")


async def _schema(connection: asyncpg.Connection, place: PostgresPlace) -> Finding:
    try:
        version = await schema.find_version(connection, place)
        if version is None:
            return Finding("schema", Level.OK, "empty; it is filled at the first start")
        check_version(version, place.shown)
    except StorageError as error:
        says, _, mend = str(error).rpartition("; ")
        return Finding("schema", Level.FAIL, says, mend)
    return Finding("schema", Level.OK, f"up to date ({version})")


async def _index(connection: asyncpg.Connection) -> list[Finding]:
    try:
        return [indexed(await count_unindexed(connection))]
    except asyncpg.UndefinedTableError:
        return []  # An empty or older database; the schema's line says what is the matter.


def _sync(server: dict[str, str], default: str) -> Finding:
    for name in ("fsync", "full_page_writes"):
        if server[name] != "on":
            mend = f"set {name} = on in postgresql.conf: a power cut may lose what was accepted"
            return Finding("sync", Level.FAIL, f"{name} is {server[name]}", mend)
    if default == "off":
        says = "synchronous_commit is off by default; Tradewind turns it on for itself"
        return Finding("sync", Level.OK, says)
    return Finding("sync", Level.OK, f"every commit is flushed to disk ({default})")


def _connections(server: dict[str, str], used: int) -> Finding:
    most = int(server["max_connections"]) - int(server["superuser_reserved_connections"])
    says = f"{used} of {most} are taken; each worker takes up to {PER_PROCESS}"
    if most - used >= 2 * PER_PROCESS:
        return Finding("connections", Level.OK, says)
    level = Level.WARN if most - used >= PER_PROCESS else Level.FAIL
    return Finding("connections", level, says, "raise max_connections in postgresql.conf")


def _encoding(name: str) -> Finding:
    if name == "UTF8":
        return Finding("encoding", Level.OK, name)
    mend = "make the database anew: createdb --encoding=UTF8 --template=template0"
    return Finding("encoding", Level.FAIL, f"{name} cannot keep every language", mend)


def _room(folder: str | None) -> Iterator[Finding]:
    """Only where the server is on this machine, and says where its data is."""
    if folder is None or not os.path.isdir(folder):
        return
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB free for {folder}"
    if free >= LITTLE_ROOM:
        yield Finding("disk space", Level.OK, says)
    else:
        mend = "make room, or move the database to a larger disk"
        yield Finding("disk space", Level.WARN, says, mend)
