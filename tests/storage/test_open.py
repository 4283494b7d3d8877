"""Opening a store by its URL: what is supported, which schemas are accepted, what doctor says."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import storage.migrations
from storage import doctor, schema
from storage.base import StoreUnavailable
from storage.doctor import Level, check
from storage.memory import MemoryLog
from storage.migrations import HEAD, VERSIONS
from storage.open import migrate, open_storage
from storage.schema import WrongSchema, read_version
from storage.sqlite import SQLiteLog
from storage.url import BadURL, SQLitePlace, parse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop 100%.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def make(url: str) -> None:
    asyncio.run(open_storage(url).close())


def set_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def test_urls_that_name_a_file():
    assert parse("sqlite:///shop.db") == SQLitePlace(Path("shop.db"))
    assert parse("sqlite:////var/lib/shop.db") == SQLitePlace(Path("/var/lib/shop.db"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.db",
        "memory",
        "memory:///",
        "sqlite:",
        "sqlite://shop.db",
        "sqlite:///",
        "sqlite:///folder/",
        "sqlite:///:memory:",
        "sqlite:///shop.db?mode=ro",
        "postgresql://localhost",
        "postgresql://localhost/",
        "postgresql:///",
        "SQLITE:///shop.db",
    ],
)
def test_other_urls_are_refused(url: str):
    with pytest.raises(BadURL, match=r"support|use `"):
        open_storage(url)
    with pytest.raises(BadURL):
        migrate(url)
    [finding] = check(url)
    assert finding.level is Level.FAIL
    assert finding.mend


async def test_memory():
    storage = open_storage("memory:")
    assert isinstance(storage.log, MemoryLog)
    await storage.close()
    assert migrate("memory:") is None
    [finding] = check("memory:")
    assert finding.level is Level.WARN


def test_a_missing_file_is_made(url: str, path: Path):
    make(url)
    assert read_version(path) == HEAD
    make(url)


def test_an_empty_file_is_made_ready(url: str, path: Path):
    path.touch()
    make(url)
    assert read_version(path) == HEAD


async def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    storage = open_storage("sqlite:///shop.db")
    assert isinstance(storage.log, SQLiteLog)
    await storage.close()
    assert await asyncio.to_thread((tmp_path / "shop.db").exists)


def test_migrate_makes_a_store_and_then_does_nothing(url: str, path: Path):
    assert migrate(url) is None
    assert migrate(url) == HEAD
    assert read_version(path) == HEAD


def test_migrate_waits_for_nobody(url: str):
    storage = open_storage(url)
    try:
        with pytest.raises(StoreUnavailable, match="open in another process"):
            migrate(url)
    finally:
        asyncio.run(storage.close())


def test_an_old_schema_asks_for_migrate(url: str, path: Path, monkeypatch: pytest.MonkeyPatch):
    make(url)
    monkeypatch.setattr(schema, "VERSIONS", (*VERSIONS, "9998"))
    monkeypatch.setattr(schema, "HEAD", "9998")
    with pytest.raises(WrongSchema, match="run `tradewind migrate`"):
        open_storage(url)
    finding = findings(url)["schema"]
    assert finding.level is Level.FAIL
    assert "tradewind migrate" in finding.mend


def test_a_newer_schema_is_refused(url: str, path: Path):
    make(url)
    set_version(path, "9999")
    for use in (open_storage, migrate):
        with pytest.raises(WrongSchema, match="newer Tradewind"):
            use(url)
    finding = findings(url)["schema"]
    assert finding.level is Level.FAIL
    assert finding.mend == "start the newer one"


def test_a_foreign_database_is_left_alone(url: str, path: Path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
    for use in (open_storage, migrate):
        with pytest.raises(WrongSchema, match="another program"):
            use(url)


def test_a_file_that_is_no_database(url: str, path: Path):
    path.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(StoreUnavailable, match="not a SQLite database"):
        open_storage(url)
    assert findings(url)["schema"].level is Level.FAIL


def test_a_directory_that_is_missing(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/nowhere/shop.db"
    with pytest.raises(StoreUnavailable, match="create it"):
        open_storage(url)
    assert findings(url)["storage"].mend == "create it"


def test_versions_are_those_that_alembic_finds():
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == VERSIONS


def findings(url: str) -> dict[str, doctor.Finding]:
    return {finding.check: finding for finding in check(url)}


def test_doctor_on_a_sound_store(url: str):
    make(url)
    told = findings(url)
    assert set(told) == {"storage", "disk space", "schema", "journal", "sync", "search"}
    told.pop("disk space")
    assert {finding.level for finding in told.values()} == {Level.OK}


def test_doctor_beside_a_running_store(url: str):
    storage = open_storage(url)
    assert {f.level for f in check(url) if f.check != "disk space"} == {Level.OK}
    asyncio.run(storage.close())


def test_doctor_makes_nothing(url: str, tmp_path: Path):
    assert findings(url)["storage"].level is Level.OK
    assert list(tmp_path.iterdir()) == []


def test_doctor_on_little_room(url: str, monkeypatch: pytest.MonkeyPatch):
    make(url)
    monkeypatch.setattr(doctor, "LITTLE_ROOM", 2**62)
    assert findings(url)["disk space"].level is Level.WARN
    monkeypatch.setattr(doctor, "HARDLY_ROOM", 2**62)
    assert findings(url)["disk space"].level is Level.FAIL


def test_doctor_on_another_journal(url: str, path: Path):
    make(url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    assert findings(url)["journal"].level is Level.WARN
