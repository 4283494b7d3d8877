"""Look a Redis over and say what is wrong and how to mend it, for `tradewind doctor`.

Reads only, and works beside running servers.
May import: doctor's findings, redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from redis.exceptions import AuthenticationError

from storage.doctor import Finding, Level
from storage.redis import BadURL, RedisError, connect, without_secrets

OLDEST = (6, 2)
"""The first version with all that is used of streams."""
MAX_SKEW = 2.0
"""Seconds by which Redis's clock may differ from ours."""


def check_redis(url: str, now: Callable[[], float] = time.time) -> list[Finding]:
    """Look it over. Never raises for what is wrong with it. Not from inside an event loop."""
    try:
        return asyncio.run(_check(url, now))
    except BadURL as error:
        return [Finding("redis", Level.FAIL, str(error), "correct the setting redis")]
    except (RedisError, OSError) as error:
        return [_failure(url, error)]


async def _check(url: str, now: Callable[[], float]) -> list[Finding]:
    redis = connect(url, connections=1)
    try:
        info: dict[str, Any] = await redis.info()
        before = now()
        seconds, micros = await redis.time()
        skew = seconds + micros / 1e6 - (before + now()) / 2
    finally:
        await redis.aclose()
    return [*_server(url, info), _memory(info), _persistence(info), _clock(skew)]


def _failure(url: str, error: Exception) -> Finding:
    shown = without_secrets(url)
    refused = ("NOAUTH", "WRONGPASS", "Authentication required", "invalid username")
    if isinstance(error, AuthenticationError) or any(word in str(error) for word in refused):
        mend = "correct the user and the password in the setting redis"
        return Finding("redis", Level.FAIL, f"{shown} refuses the password: {error}", mend)
    if "NOPERM" in str(error) or "no permissions" in str(error):
        mend = "let this user run all commands on keys that begin with redis_prefix, INFO and TIME"
        return Finding("redis", Level.FAIL, f"{shown} does not permit: {error}", mend)
    mend = "start it, or correct the setting redis; while it is away hosts do not hear each other"
    return Finding("redis", Level.FAIL, f"{shown} cannot be reached: {error}", mend)


def _server(url: str, info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info["redis_version"])
    known = tuple(int(part) for part in version.split(".")[:2])
    if known < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        yield Finding("redis", Level.FAIL, f"version {version}", f"use {wanted} or newer")
    elif info["role"] != "master":
        mend = "name the master, or use redis+sentinel:// to be led to it"
        yield Finding("redis", Level.FAIL, "it is a replica, which takes no writes", mend)
    else:
        shown = without_secrets(url)
        yield Finding("redis", Level.OK, f"version {version} answers under {shown}")


def _memory(info: dict[str, Any]) -> Finding:
    policy, most = str(info["maxmemory_policy"]), int(info["maxmemory"])
    bound = f"up to {most} bytes" if most else "without a bound of its own"
    says = f"{info['used_memory_human']} used, {bound}, {policy}"
    mend = "run: redis-cli config set maxmemory-policy noeviction (and in redis.conf)"
    if most and policy.startswith("allkeys"):
        return Finding("redis memory", Level.FAIL, f"{says}: it throws away jobs", mend)
    if most and policy.startswith("volatile"):
        return Finding("redis memory", Level.WARN, f"{says}: it throws away locks", mend)
    return Finding("redis memory", Level.OK, says)


def _persistence(info: dict[str, Any]) -> Finding:
    if int(info["aof_enabled"]):
        return Finding("redis on disk", Level.OK, "it keeps an append-only file")
    says = "no append-only file: its end loses jobs and what waits for other regions; no entries"
    mend = "set appendonly yes and appendfsync everysec in redis.conf"
    return Finding("redis on disk", Level.WARN, says, mend)


def _clock(skew: float) -> Finding:
    if abs(skew) <= MAX_SKEW:
        return Finding("redis clock", Level.OK, f"{skew:+.3f} s from ours")
    mend = "let both hosts follow a time server (chrony, systemd-timesyncd)"
    return Finding("redis clock", Level.WARN, f"{skew:+.1f} s from ours", mend)
