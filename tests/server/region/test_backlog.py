from __future__ import annotations

from collections.abc import Callable

import pytest

from server.region.backlog import BOUND, BacklogAway, MemoryBacklog
from server.region.redis_backlog import RedisBacklog
from storage.redis import Redis, connect
from tests.conformance.backlog_suite import BacklogSuite, MakeBacklog, items, load
from tests.support.redis import RedisServer


class TestMemoryBacklog(BacklogSuite):
    @pytest.fixture
    def make(self) -> MakeBacklog:
        return lambda bound=BOUND: MemoryBacklog(bound=bound)


class TestRedisBacklog(BacklogSuite):
    @pytest.fixture
    def make(self, redis: Redis, redis_prefix: str) -> MakeBacklog:
        return lambda bound=BOUND: RedisBacklog(redis, f"{redis_prefix}relay:eu", bound)


async def test_a_backlog_in_redis_is_away_and_comes_back(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis("appendonly yes", "appendfsync always")
    redis = connect(server.url)
    try:
        backlog = RedisBacklog(redis, "tw:relay:eu")
        await backlog.put([load(1)])
        server.kill()
        for ask in (backlog.put([load(2)]), backlog.read("", limit=1), backlog.depth()):
            with pytest.raises(BacklogAway):
                await ask
        server.start()
        await backlog.put([load(3)])
        assert await items(backlog) == [b"1", b"3"]
    finally:
        await redis.aclose()
