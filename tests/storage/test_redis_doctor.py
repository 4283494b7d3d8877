"""What the doctor says of a Redis, and how to mend it."""

import time
from collections.abc import Callable

from bench.peers.redis import RedisServer, free_port
from storage.doctor import Finding, Level
from storage.redis_doctor import check_redis


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_one_that_is_as_it_should_be(own_redis: Callable[..., RedisServer]) -> None:
    findings = check_redis(own_redis("appendonly yes").url)
    assert {finding.level for finding in findings} == {Level.OK}
    assert len(findings) == 4


def test_what_would_lose_something(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("maxmemory 100mb", "maxmemory-policy allkeys-lru")
    found = by_name(check_redis(server.url, lambda: time.time() - 60))
    assert found["redis memory"].level is Level.FAIL
    assert "noeviction" in found["redis memory"].mend
    assert found["redis on disk"].level is Level.WARN
    assert found["redis clock"].level is Level.WARN
    assert found["redis clock"].says.startswith("+60")


def test_eviction_of_what_expires(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("maxmemory 100mb", "maxmemory-policy volatile-lru")
    assert by_name(check_redis(server.url))["redis memory"].level is Level.WARN


def test_a_wrong_password(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("requirepass secret")
    for url in (server.url, server.url.replace("://", "://:wrong@")):
        [found] = check_redis(url)
        assert found.level is Level.FAIL
        assert "refuses the password" in found.says
        assert "wrong" not in found.says


def test_a_user_who_may_do_little(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("user ann on >word ~tw:* +get")
    [found] = check_redis(server.url.replace("://", "://ann:word@"))
    assert "does not permit" in found.says


def test_a_replica(own_redis: Callable[..., RedisServer]) -> None:
    master = own_redis()
    replica = own_redis(f"replicaof 127.0.0.1 {master.port}")
    found = by_name(check_redis(replica.url))["redis"]
    assert found.level is Level.FAIL
    assert "sentinel" in found.mend


def test_one_that_is_away_or_nowhere() -> None:
    [found] = check_redis(f"redis://127.0.0.1:{free_port()}")
    assert "cannot be reached" in found.says
    [found] = check_redis("redis://127.0.0.1/zero")
    assert found.mend == "correct the setting redis"
