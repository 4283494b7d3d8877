"""Opening a store on PostgreSQL, what is refused with which advice, and what the doctor says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from bench.peers.postgres import Cluster
from storage import schema
from storage.base import StoreUnavailable
from storage.diagnosis import Finding, Level
from storage.doctor import check
from storage.migrations import HEAD, VERSIONS
from storage.open import migrate, open_storage
from storage.postgres import doctor
from storage.schema import WrongSchema
from storage.url import PostgresPlace, parse, shown
from tests.conformance.log_suite import draft, fresh
from tests.support.postgres import fresh_name


@pytest.fixture
def empty(postgres: Cluster) -> str:
    """A database without tables."""
    return postgres.create(fresh_name())


def run(postgres: Cluster, url: str, statement: str) -> str:
    place = parse(url)
    assert isinstance(place, PostgresPlace)
    return postgres.sql(place.database, statement)


def findings(url: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in check(url)}


def test_a_password_is_not_shown():
    url = "postgresql://ada:s%40cret@db.example:5433/shop?sslmode=require"
    assert shown(url) == "postgresql://ada@db.example:5433/shop?sslmode=require"
    assert (
        shown("postgresql://h/s?password=x&sslmode=require") == "postgresql://h/s?sslmode=require"
    )
    assert shown("postgresql://h/s?user=a&password=x") == "postgresql://h/s?user=a"
    assert shown("sqlite:///a.db") == "sqlite:///a.db"


def test_urls():
    place = parse("postgresql://ada:x@one,two:5433/the%20shop")
    assert place == PostgresPlace(
        "postgresql://ada:x@one,two:5433/the%20shop",
        "postgresql://ada@one,two:5433/the%20shop",
        "the shop",
    )


def test_an_empty_database_is_made_ready(empty: str):
    asyncio.run(open_storage(empty).close())
    assert migrate(empty) == HEAD


def test_migrate_makes_a_store_and_then_does_nothing(empty: str):
    assert migrate(empty) is None
    assert migrate(empty) == HEAD
    assert migrate(empty) == HEAD


def test_several_processes_start_at_once(empty: str):
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(open_storage, [empty] * 4))

    async def use() -> list[int]:
        conversation = uuid4()
        told = [(await storage.log.append([draft(conversation)]))[0] for storage in stores]
        for storage in stores:
            await storage.close()
        return [fresh(result).seq for result in told]

    assert asyncio.run(use()) == [1, 2, 3, 4]


def test_an_old_schema_asks_for_migrate(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "VERSIONS", (*VERSIONS, "9998"))
    monkeypatch.setattr(schema, "HEAD", "9998")
    with pytest.raises(WrongSchema, match="run `tradewind migrate`"):
        open_storage(postgres_url)
    finding = findings(postgres_url)["schema"]
    assert finding.level is Level.FAIL
    assert "tradewind migrate" in finding.mend


def test_a_newer_schema_is_refused(postgres: Cluster, postgres_url: str):
    run(postgres, postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    for use in (open_storage, migrate):
        with pytest.raises(WrongSchema, match="newer Tradewind"):
            use(postgres_url)
    assert findings(postgres_url)["schema"].mend == "start the newer one"


def test_a_foreign_database_is_left_alone(postgres: Cluster, empty: str):
    run(postgres, empty, "CREATE TABLE songs (title text)")
    for use in (open_storage, migrate):
        with pytest.raises(WrongSchema, match="another program"):
            use(empty)
    assert findings(empty)["schema"].mend == "choose another database"


def wrong_password(postgres: Cluster) -> str:
    return postgres.url_over_tcp("postgres", password="sesame")


def no_such_user(postgres: Cluster) -> str:
    return wrong_password(postgres).replace("tradewind:", "nobody:")


def no_such_database(postgres: Cluster) -> str:
    return postgres.url("nowhere")


def nobody_listens(postgres: Cluster) -> str:
    return "postgresql://tradewind:sesame@127.0.0.1:1/shop"


def no_such_host(postgres: Cluster) -> str:
    return "postgresql://tradewind:sesame@nowhere.invalid/shop"


def an_unknown_option(postgres: Cluster) -> str:
    return postgres.url("postgres") + "&sslmode=sometimes"


@pytest.mark.parametrize(
    ("url", "says", "mend"),
    [
        (wrong_password, "does not let us in", "correct user and password"),
        (no_such_user, "does not let us in", "correct user and password"),
        (no_such_database, "there is no database nowhere", "create it"),
        (nobody_listens, "cannot be reached", "is PostgreSQL running"),
        (no_such_host, "cannot be reached", "is PostgreSQL running"),
        (an_unknown_option, "sslmode", "correct the database URL"),
    ],
)
def test_what_keeps_us_out(postgres: Cluster, url: Callable[[Cluster], str], says: str, mend: str):
    for use in (open_storage, migrate):
        with pytest.raises(StoreUnavailable, match=mend) as refusal:
            use(url(postgres))
        assert says in str(refusal.value)
        assert "sesame" not in str(refusal.value)
    [finding] = check(url(postgres))
    assert finding.level is Level.FAIL
    assert mend in finding.mend


def test_a_database_that_can_only_be_read(postgres: Cluster, postgres_url: str):
    place = parse(postgres_url)
    assert isinstance(place, PostgresPlace)
    name = f'"{place.database}"'
    run(postgres, postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="name the primary"):
        open_storage(postgres_url)


def test_a_user_without_rights(postgres: Cluster, postgres_url: str):
    run(postgres, postgres_url, "CREATE ROLE guest LOGIN")
    with pytest.raises(StoreUnavailable, match="make the user in the URL the database's owner"):
        open_storage(postgres_url.replace("tradewind@", "guest@"))


def test_doctor_on_a_sound_store(postgres_url: str):
    told = findings(postgres_url)
    checked = {"storage", "PostgreSQL", "schema", "sync", "connections", "encoding", "disk space"}
    assert set(told) == checked | {"search"}
    assert {f.level for f in told.values() if f.check != "disk space"} == {Level.OK}


def test_doctor_on_conversations_that_are_not_indexed(postgres_url: str, postgres: Cluster):
    run(postgres, postgres_url, "INSERT INTO unindexed VALUES (gen_random_uuid())")
    finding = findings(postgres_url)["search"]
    assert (finding.level, finding.mend) == (Level.WARN, "run `tradewind reindex`")


def test_doctor_makes_nothing(empty: str, postgres: Cluster):
    assert findings(empty)["schema"].level is Level.OK
    assert run(postgres, empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"


def test_doctor_on_a_server_that_is_set_badly(own_postgres: Cluster):
    own_postgres.stop()
    with (own_postgres.data / "postgresql.conf").open("a") as out:
        out.write("fsync = off\nmax_connections = 7\nsynchronous_commit = off\n")
    own_postgres.start()
    own_postgres.sql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    told = findings(own_postgres.url("latin"))
    assert told["sync"].level is Level.FAIL
    assert "fsync = on" in told["sync"].mend
    assert told["connections"].level is Level.FAIL
    assert "max_connections" in told["connections"].mend
    assert told["encoding"].level is Level.FAIL


def test_doctor_on_little_room(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "LITTLE_ROOM", 2**62)
    assert findings(postgres_url)["disk space"].level is Level.WARN


def test_doctor_on_an_old_server(monkeypatch: pytest.MonkeyPatch, postgres_url: str):
    monkeypatch.setattr(doctor, "OLDEST", 999_999)
    assert findings(postgres_url)["PostgreSQL"].level is Level.FAIL
