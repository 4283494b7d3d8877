"""Which schema a database file has, and whether this program can work with it.

May import: base, migrations, sqlite.connect.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from storage.base import StorageError
from storage.migrations import HEAD, VERSIONS
from storage.sqlite.connect import connect, translate


class WrongSchema(StorageError):
    """The database was made by an older or newer Tradewind, or by something else."""


def read_version(path: Path) -> str | None:
    """The revision that a file is at; None for one that is missing or empty."""
    if not path.exists():
        return None
    try:
        connection = connect(path, readonly=True)
        try:
            return _version(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, path) from error


def _version(connection: sqlite3.Connection, path: Path) -> str | None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise WrongSchema(f"{path} holds tables of another program; choose another file")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def check_version(version: str, url: str) -> None:
    """Refuse a version that is not the newest we know, and say what to do."""
    if version == HEAD:
        return
    if version in VERSIONS:
        raise WrongSchema(
            f"{url} has schema {version}, this Tradewind needs {HEAD}; "
            "make a backup, then run `tradewind migrate`"
        )
    raise WrongSchema(
        f"{url} has schema {version}, made by a newer Tradewind than this one, which knows "
        f"up to {HEAD}; start the newer one"
    )
