"""Bring a PostgreSQL database to the newest schema, in one transaction.

Processes that start at once, on any hosts, wait for each other: the first one does it, and the
others find it done.

Imported only when there is something to apply: Alembic and SQLAlchemy take long to load.
May import: migrations.upgrade, postgres, url.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.migrations.upgrade import apply
from storage.postgres.connect import connect
from storage.postgres.errors import translate
from storage.url import PostgresPlace

LOCK = 0x7472_6164_6577_6E64
"""Ours among the advisory locks of a database."""


async def upgrade(place: PostgresPlace, settings: Mapping[str, str]) -> None:
    """Bring the database, which may be empty, to the newest schema."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(place, settings),
        poolclass=NullPool,
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(apply)
    except DBAPIError as error:
        raise translate(_cause(error), place) from error
    except Exception as error:
        raise translate(error, place) from error
    finally:
        await engine.dispose()


def _cause(error: DBAPIError) -> Exception:
    """What the driver raised, from under SQLAlchemy's wrappings."""
    inner = error.orig.__cause__ if error.orig is not None else None
    return inner if isinstance(inner, Exception) else error
