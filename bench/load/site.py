"""A server with all that it stands on, each part real and killable.

    embedded     the store that comes with it: no other server
    site         a PostgreSQL and a Redis beside it

What holds always: everything has ended and every folder is gone when the block is left.
May import: house; peers' PostgreSQL and Redis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Literal

from msgspec import Struct

from bench.load.house import House, house
from bench.peers.postgres import Cluster, cluster
from bench.peers.redis import RedisServer, redis_server

Kind = Literal["embedded", "site"]
DATABASE = "tradewind"


class Site(Struct, frozen=True):
    """What runs."""

    server: House
    postgres: Cluster | None = None
    redis: RedisServer | None = None


@asynccontextmanager
async def site(kind: Kind, workers: int) -> AsyncIterator[Site]:
    """Start it, and wait until it is ready. Raises BenchError."""
    if kind == "embedded":
        async with house(workers=workers) as server:
            yield Site(server)
        return
    with ExitStack() as stack:
        postgres = stack.enter_context(cluster())
        redis = stack.enter_context(redis_server())
        settings = {
            "TRADEWIND_DATABASE": postgres.create(DATABASE),
            "TRADEWIND_REDIS": redis.url,
        }
        async with house(workers=workers, settings=settings) as server:
            yield Site(server, postgres, redis)
