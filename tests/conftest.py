"""For every test: logging as it was, whatever a test configured; and real servers to ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.support.postgres import own_postgres, postgres, postgres_url
from tests.support.redis import own_redis, redis, redis_prefix, redis_server

__all__ = [
    "own_postgres",
    "own_redis",
    "postgres",
    "postgres_url",
    "redis",
    "redis_prefix",
    "redis_server",
]


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
