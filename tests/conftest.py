"""For every test: logging as it was, whatever a test configured; real servers to ask for; who runs
what when several processes share the work."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.support.postgres import own_postgres, postgres, postgres_url
from tests.support.redis import own_redis, redis, redis_prefix, redis_server

BENCH = Path(__file__).parent / "bench"

__all__ = [
    "own_postgres",
    "own_redis",
    "postgres",
    "postgres_url",
    "redis",
    "redis_prefix",
    "redis_server",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the work, a file is one process's; and so is all of the bench,
    because there is one emulated network."""
    for item in items:
        group = "bench" if BENCH in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line configures logging for its process, which here is everybody's."""
    configure = structlog.configure

    def without_cache(*args: Any, **settings: Any) -> None:
        # A cached logger would keep writing to the streams of the test that made it.
        configure(*args, **{**settings, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", without_cache)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
