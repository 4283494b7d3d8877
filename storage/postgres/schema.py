"""Which schema a database has, and bringing it to the newest one.

May import: migrations, schema, connect, url.
"""

from __future__ import annotations

import asyncpg

from storage.migrations import VERSIONS
from storage.postgres.connect import connected
from storage.schema import WrongSchema, check_version
from storage.url import PostgresPlace

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
UPGRADING = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""A migration takes as long as it takes, and so does waiting for another process's."""


async def read_version(place: PostgresPlace) -> str | None:
    """The revision that the database is at; None for one without tables."""
    async with connected(place) as connection:
        return await find_version(connection, place)


async def find_version(connection: asyncpg.Connection, place: PostgresPlace) -> str | None:
    """See read_version."""
    tables = {row[0] for row in await connection.fetch(TABLES)}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise WrongSchema(f"{place.shown} holds tables of another program; choose another database")
    version: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return version


async def prepare(place: PostgresPlace) -> None:
    """Make an empty database ready. Raises WrongSchema for one that is older or newer than us."""
    version = await read_version(place)
    if version is None:
        await _upgrade(place)
    else:
        check_version(version, place.shown)


async def migrate(place: PostgresPlace) -> str | None:
    """Bring it to the newest schema; returns what it was before, None if it was empty."""
    version = await read_version(place)
    if version is not None and version not in VERSIONS:
        check_version(version, place.shown)
    await _upgrade(place)
    return version


async def _upgrade(place: PostgresPlace) -> None:
    from storage.migrations.postgres import upgrade  # slow to load, rarely needed

    await upgrade(place, UPGRADING)
