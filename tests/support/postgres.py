"""A real PostgreSQL for tests: one server per test session, a fresh database per test.

Fixtures, everywhere in tests:
    postgres        the server (bench.peers.postgres.Cluster), shared: do not stop it
    postgres_url    a database of one's own, with the newest schema and nothing in it
    own_postgres    a server of one's own, to kill and to starve; takes some seconds
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from bench.peers.postgres import Cluster, cluster
from storage.open import migrate

TEMPLATE = "template_tradewind"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    with cluster() as server:
        migrate(server.create(TEMPLATE))
        yield server


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    name = fresh_name()
    yield postgres.create(name, TEMPLATE)
    postgres.drop(name)


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    with cluster() as server:
        yield server


def fresh_name() -> str:
    """A name that no database of this session has had."""
    return f"test_{next(_numbers)}"
