"""Redis is reached by URL, over everything a URL can say; what goes wrong says how to mend it."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.redis import BadURL, Redis, RedisError, check_url, connect, run_id, without_secrets
from tests.support.redis import (
    PATIENCE,
    Authority,
    RedisServer,
    TLSRedisServer,
    Watched,
    started,
    until_answers,
)


async def ping(url: str) -> bool:
    redis = connect(url)
    try:
        return bool(await redis.ping())
    finally:
        await redis.aclose()


async def test_tcp_and_unix_and_another_database(
    redis_server: RedisServer, redis_prefix: str
) -> None:
    other = connect(f"{redis_server.unix_url}?db=1")
    first = connect(redis_server.url)
    try:
        await other.set(redis_prefix + "x", "1", ex=60)
        assert await other.get(redis_prefix + "x") == b"1"
        assert await first.get(redis_prefix + "x") is None
    finally:
        await first.aclose()
        await other.aclose()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://localhost", "use `redis://host"),
        ("redis://", "names no host"),
        ("redis://h:port", "no host with a port"),
        ("redis://h/one", "no number"),
        ("redis://:pass#word@h", "%23"),
        ("redis://h?timeout=3", "no option timeout"),
        ("redis://h?ca=/x", "begin the URL with `rediss`"),
        ("rediss://h?ca=/none.pem", "cannot read /none.pem"),
        ("rediss://h?key=/none.pem", "key needs certificate"),
        ("unix://", "names no socket"),
        ("redis+sentinel://a,b", "names no service"),
        ("redis+sentinel://a,,b/main", "names no host"),
        ("redis+sentinel://a/main/x", "no number"),
    ],
)
def test_mistakes_in_a_url_are_named(url: str, says: str) -> None:
    with pytest.raises(BadURL, match=says):
        check_url(url)


def test_secrets_are_not_shown() -> None:
    url = "redis+sentinel://user:secret@a:1,b:2/main?sentinel_password=hidden"
    assert without_secrets(url) == "redis+sentinel://a:1,b:2/main"
    with pytest.raises(BadURL) as error:
        check_url("http://user:secret@a")
    assert "secret" not in str(error.value)


async def test_users_and_passwords(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis("requirepass a/b@c", "user ann on >p%w ~* &* +@all")
    at = f"127.0.0.1:{server.port}"
    assert await ping(f"redis://:a%2Fb%40c@{at}")
    assert await ping(f"redis://ann:p%25w@{at}")
    assert await ping(f"unix://ann:p%25w@{server.socket}")
    for wrong in (f"redis://:wrong@{at}", f"redis://{at}"):
        with pytest.raises(RedisError, match=r"WRONGPASS|invalid username|Authentication required"):
            await ping(wrong)


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    with started(TLSRedisServer(tmp_path / "redis", authority)) as server:
        assert await ping(server.url)
        ca = f"rediss://127.0.0.1:{server.port}?ca={authority.ca}"
        with pytest.raises(RedisError):
            await ping(ca)  # No certificate of our own.
        foreign = Authority(tmp_path / "theirs").ca
        with pytest.raises(RedisError, match="certificate verify failed"):
            await ping(server.url.replace(str(authority.ca), str(foreign)))
        with pytest.raises(RedisError):
            await ping(f"redis://127.0.0.1:{server.port}")


async def test_another_run_has_another_id(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis()
    redis = connect(server.url)
    try:
        before = await run_id(redis)
        assert await run_id(redis) == before
        server.restart()
        await until_answers(redis)
        assert await run_id(redis) != before
    finally:
        await redis.aclose()


async def test_one_that_is_away_or_stands_still_raises(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.redis.ANSWER", 0.2)
    server = own_redis()
    redis = connect(server.url)
    try:
        await redis.ping()
        server.signal(signal.SIGSTOP)
        with pytest.raises(RedisError):
            await redis.ping()
        server.signal(signal.SIGCONT)
        assert await redis.ping()
        server.kill()
        with pytest.raises(RedisError):
            await redis.ping()
        server.start()
        assert await redis.ping(), "the next command connects anew"
    finally:
        await redis.aclose()


async def test_a_command_is_never_sent_twice(
    own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was not answered may have been carried out; it is not carried out again."""
    monkeypatch.setattr("storage.redis.ANSWER", 0.2)
    server = own_redis()
    redis = connect(server.url)
    try:
        await redis.set("n", 0)
        server.signal(signal.SIGSTOP)
        with pytest.raises(RedisError):
            await redis.incr("n")
        server.signal(signal.SIGCONT)
        assert await redis.get("n") == b"1"
    finally:
        await redis.aclose()


async def test_who_finds_no_free_connection_waits_and_is_refused(
    redis_server: RedisServer, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.redis.POOL", 0.1)
    redis = connect(redis_server.url, connections=2)
    try:
        async with asyncio.TaskGroup() as tasks:
            blocked = [
                tasks.create_task(redis.blpop([f"{redis_prefix}{n}"], timeout=1)) for n in range(2)
            ]
            await asyncio.sleep(0.05)
            with pytest.raises(RedisError, match="No connection available"):
                await redis.ping()
        assert [task.result() for task in blocked] == [None, None]
        assert await redis.ping()
    finally:
        await redis.aclose()


async def test_cancelling_is_never_forgotten(redis_server: RedisServer, redis_prefix: str) -> None:
    """Whenever it comes: while a command is sent, too."""
    redis = connect(redis_server.url)
    try:

        async def writes() -> None:
            while True:
                await redis.set(redis_prefix, 1, ex=60)

        for turns in range(30):
            task = asyncio.create_task(writes())
            await asyncio.sleep(0.003)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=PATIENCE)
            assert task.cancelled()
    finally:
        await redis.aclose()


async def test_sentinel_leads_to_the_master_of_the_moment(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    redis = connect(watched.url)
    try:
        await watched.start()
        before = await run_id(redis)
        watched.master.kill()
        watched.sentinels[0].kill()  # Two of three are enough, to decide and to ask.
        async with asyncio.timeout(PATIENCE):
            while not await _writes(redis):  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.05)
        assert await run_id(redis) != before
    finally:
        await redis.aclose()
        watched.kill()


async def test_no_sentinel_answers(tmp_path: Path) -> None:
    with pytest.raises(RedisError, match="No master found for 'main'"):
        await ping("redis+sentinel://127.0.0.1:1,127.0.0.1:2/main")


async def _writes(redis: Redis) -> bool:
    try:
        return bool(await redis.set("x", 1))
    except RedisError:
        return False
