"""Bring a SQLite file to the newest schema, in one transaction.

Imported only when there is something to apply: Alembic and SQLAlchemy take long to load.

May import: base, migrations, sqlite.connect.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from storage.sqlite.connect import FileLock, connect, translate


def upgrade_sqlite(path: Path) -> None:
    """Bring the file, which exists and may be empty, to the newest schema."""
    lock = FileLock(path)
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    # Our connections do not begin transactions by themselves; DDL is transactional in SQLite.
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            apply(connection)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise translate(error.orig, path) from error
        raise
    finally:
        engine.dispose()
        lock.release()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def apply(connection: Connection) -> None:
    """Apply, within the open transaction, every revision that is missing."""
    config = Config()
    # Alembic reads the path through ConfigParser, to which a per cent sign is special.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
