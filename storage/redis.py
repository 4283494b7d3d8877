"""Reaching Redis, by URL.

    redis://[user:password@]host[:6379][/db]
    unix://[user:password@]/path/of/the.sock[?db=1]
    redis+sentinel://[user:password@]host[:26379],host,…/service[/db]
    rediss://…, rediss+sentinel://…       over TLS; with Sentinel, to the sentinels as well

Options follow `?`, joined by `&`: `ca`, `certificate` and `key` name PEM files for TLS (left out:
the system's authorities, no client certificate); `sentinel_username` and `sentinel_password` are
for the sentinels themselves. In names and passwords `@ : / ? # %` are written with percent signs.

What holds always:
- `connect` connects nothing: the first command does, and after a loss the next one does;
- no command is sent twice. If its answer does not come, whoever gave it hears a RedisError and does
  not know whether it was carried out: only they know whether it may be given again;
- nothing waits without end: CONNECT for a connection, ANSWER for an answer (so a command that
  blocks must block for less), POOL for a free one of the pool's connections;
- with Sentinel, every new connection goes to the master of that moment.
Bound: MAX_CONNECTIONS; over it commands wait up to POOL seconds, then raise RedisError.
May import: url.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut

from storage.url import BadURL

__all__ = [
    "ANSWER",
    "BadURL",
    "Redis",
    "RedisError",
    "check_url",
    "connect",
    "run_id",
    "without_secrets",
]

CONNECT = 2.0
"""Seconds to make a connection."""
ANSWER = 3.0
"""Seconds for the answer of a command."""
POOL = 1.0
"""Seconds to wait for a connection while all are in use."""
HEALTH = 15.0
"""A connection that was idle for so many seconds is tried with a PING before it is used."""
MAX_CONNECTIONS = 32
"""Connections of one pool. A command that blocks has one to itself for so long."""

PORT = 6379
SENTINEL_PORT = 26379
SUPPORTED = (
    "`redis://host:6379/0`, `rediss://host:6379/0`, `unix:///run/redis.sock` or "
    "`redis+sentinel://host:26379,host:26379/service/0`"
)
OPTIONS = ("ca", "certificate", "key", "sentinel_username", "sentinel_password", "db")


class _Place(Struct, frozen=True):
    """What a URL says."""

    scheme: str
    username: str | None
    password: str | None
    hosts: tuple[tuple[str, int], ...]
    path: str
    service: str
    db: int
    options: dict[str, str]

    @property
    def tls(self) -> bool:
        return self.scheme.startswith("rediss")


def connect(url: str, *, connections: int = MAX_CONNECTIONS) -> Redis:
    """A client with a pool of its own; `aclose` ends it. Raises BadURL."""
    place = _parse(url)
    common = _common(place.username, place.password) | {"db": place.db}
    pool: dict[str, Any] = {"max_connections": connections, "timeout": POOL}
    if place.service:
        return Redis.from_pool(_sentinel_pool(place, common | pool))
    if place.scheme == "unix":
        where: dict[str, Any] = {"path": place.path, "connection_class": _Unix}
    else:
        [(host, port)] = place.hosts
        kind = _TLS if place.tls else _TCP
        where = {"host": host, "port": port, "connection_class": kind, **_tls(place)}
    return Redis.from_pool(BlockingConnectionPool(**pool, **common, **where))


def check_url(url: str) -> str:
    """The URL itself, if it can be one. Raises BadURL."""
    _parse(url)
    return url


def without_secrets(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def run_id(redis: Redis) -> str:
    """Names this run of the server: another after a restart or a failover. Raises RedisError."""
    return str((await redis.info("server"))["run_id"])


def _common(username: str | None, password: str | None) -> dict[str, Any]:
    """What every connection is made with."""
    return {
        "username": username,
        "password": password,
        "socket_connect_timeout": CONNECT,
        "socket_timeout": ANSWER,
        "health_check_interval": HEALTH,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "tradewind",
        "driver_info": None,
        "protocol": 2,
    }


class _Cancellable(AbstractConnection):
    """A connection on which waiting may be cancelled at any time.

    redis-py sends under `asyncio.wait_for`, which on Python 3.11 forgets a cancellation that comes
    in the same turn of the loop as the end of what it waits for: the task would run on for ever.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        text = command.encode() if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([text] if isinstance(text, bytes) else text)
        except OSError as error:
            await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise TimedOut("Timeout writing to socket") from None
            raise ConnectionFailed(f"Error while writing to socket: {error}") from error
        except BaseException:
            await self.disconnect(nowait=True)  # Half a command may have been sent.
            raise


class _TCP(_Cancellable, Connection):
    """redis://"""


class _TLS(_Cancellable, SSLConnection):
    """rediss://"""


class _Unix(_Cancellable, UnixDomainSocketConnection):
    """unix://"""


class _WatchedTCP(_Cancellable, SentinelManagedConnection):
    """redis+sentinel://"""


class _WatchedTLS(_Cancellable, SentinelManagedSSLConnection):
    """rediss+sentinel://"""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the master, as many as there may be, and those to the sentinels."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Closing closes the connections to the sentinels too; they come back when needed."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def _sentinel_pool(place: _Place, arguments: dict[str, Any]) -> _SentinelPool:
    own = _common(place.options.get("sentinel_username"), place.options.get("sentinel_password"))
    own |= {"ssl": place.tls, **_tls(place)}
    sentinels = Sentinel(place.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]
    kind = _WatchedTLS if place.tls else _WatchedTCP
    arguments |= {"connection_class": kind, **_tls(place)}
    return _SentinelPool(place.service, sentinels, **arguments)  # type: ignore[no-untyped-call]


def _tls(place: _Place) -> dict[str, Any]:
    if not place.tls:
        return {}
    return {
        "ssl_ca_certs": place.options.get("ca"),
        "ssl_certfile": place.options.get("certificate"),
        "ssl_keyfile": place.options.get("key"),
    }


def _parse(url: str) -> _Place:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"):
        raise BadURL(f"no Redis can be reached under {without_secrets(url)}; use {SUPPORTED}")
    if parts.fragment:
        raise BadURL("a Redis URL has no #; in a password, write %23 for it")
    options = _options(parts)
    service, db, path = "", options.pop("db", "0"), ""
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if not path:
            raise BadURL("the URL names no socket; use `unix:///run/redis.sock`")
    elif parts.scheme.endswith("+sentinel"):
        service, _, db = parts.path.lstrip("/").partition("/")
        if not service:
            raise BadURL("the URL names no service; use `redis+sentinel://host:26379/service`")
    else:
        db = parts.path.strip("/") or db
    username, password, hosts = _authority(parts)
    place = _Place(parts.scheme, username, password, hosts, path, service, _db(db), options)
    _check_files(place)
    return place


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise BadURL(f"a Redis URL has no option {name}; there are {', '.join(OPTIONS)}")
    return options


def _authority(parts: SplitResult) -> tuple[str | None, str | None, tuple[tuple[str, int], ...]]:
    """Username, password, and the hosts with their ports."""
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    sentinel = parts.scheme.endswith("+sentinel")
    found = []
    for text in hosts.split(",") if sentinel else [hosts]:
        try:
            host = urlsplit(f"//{text}")
            found.append((host.hostname or "", host.port or (SENTINEL_PORT if sentinel else PORT)))
        except ValueError:
            raise BadURL(f"{text} is no host with a port; use {SUPPORTED}") from None
    if parts.scheme != "unix" and not all(name for name, _ in found):
        raise BadURL(f"the URL names no host; use {SUPPORTED}")
    return unquote(username) or None, unquote(password) or None, tuple(found)


def _db(text: str) -> int:
    if not text.isdecimal() and text:
        raise BadURL(f"{text} is no number of a Redis database; use 0, or leave it out")
    return int(text or 0)


def _check_files(place: _Place) -> None:
    """Say at once what else the first command would say."""
    ca, certificate, key = map(place.options.get, ("ca", "certificate", "key"))
    if not place.tls:
        if ca or certificate or key:
            raise BadURL("ca, certificate and key are for TLS; begin the URL with `rediss`")
        return
    if key and not certificate:
        raise BadURL("key needs certificate beside it")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, file in (("ca", ca), ("certificate", certificate)):
        try:
            if file and name == "ca":
                context.load_verify_locations(file)
            elif file:
                context.load_cert_chain(file, key)
        except (OSError, ssl.SSLError) as error:
            raise BadURL(f"{name} in the Redis URL: cannot read {file}: {error}") from None
