"""Real Redis servers for tests: one for the whole run, and such that a test may kill.

`redis_server` is shared; each test has a `redis_prefix` of its own there, and `redis` is connected
to it. Whatever kills, flushes or configures takes a server of its own: `own_redis`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.peers.redis import RedisServer
from storage.redis import Redis, RedisError, connect

PATIENCE = 15.0
"""Seconds after which a test gives up waiting for a server."""


class _SentinelServer(RedisServer):
    """One that watches a master."""

    program = "redis-sentinel"


class Watched:
    """A master, a replica and three sentinels that make the one the other within two seconds."""

    service = "main"

    def __init__(self, folder: Path) -> None:
        keep = ('save ""', "appendonly no", "repl-diskless-sync-delay 0")
        self.master = RedisServer(folder / "a", *keep)
        self.replica = RedisServer(folder / "b", *keep, f"replicaof 127.0.0.1 {self.master.port}")
        watch = (
            f"sentinel monitor {self.service} 127.0.0.1 {self.master.port} 2",
            f"sentinel down-after-milliseconds {self.service} 500",
            f"sentinel failover-timeout {self.service} 3000",
        )
        self.sentinels = [_SentinelServer(folder / f"s{n}", *watch) for n in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}"

    async def start(self) -> None:
        """Returns when the replica follows and the sentinels know of it and of each other."""
        for server in (self.master, self.replica, *self.sentinels):
            server.start()
        async with asyncio.timeout(PATIENCE):
            for sentinel in self.sentinels:
                await self._known(sentinel)

    async def _known(self, sentinel: RedisServer) -> None:
        client = connect(sentinel.url)
        try:
            while True:
                state = (await client.sentinel_masters())[self.service]
                replicas = await client.sentinel_slaves(self.service)
                linked = [one["master-link-status"] for one in replicas] == ["ok"]
                if linked and state["num-other-sentinels"] == 2:
                    return
                await asyncio.sleep(0.05)
        finally:
            await client.aclose()

    def kill(self) -> None:
        for server in (*self.sentinels, self.master, self.replica):
            server.kill()


class Authority:
    """Makes certificates for one test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{folder.name} CA")])
        self.ca = folder / "ca.pem"
        certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), authority=False)
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )


class TLSRedisServer(RedisServer):
    """One that speaks TLS alone on its port, and demands a certificate of `authority`."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._files = (*authority.issue("redis"), authority.ca)
        self._client = authority.issue("client")
        super().__init__(folder)

    @property
    def url(self) -> str:
        certificate, key = self._client
        files = f"ca={self._files[2]}&certificate={certificate}&key={key}"
        return f"rediss://127.0.0.1:{self.port}/0?{files}"

    def _lines(self) -> list[str]:
        certificate, key, ca = self._files
        return [
            *(line for line in super()._lines() if not line.startswith("port")),
            "port 0",
            f"tls-port {self.port}",
            f"tls-cert-file {certificate}",
            f"tls-key-file {key}",
            f"tls-ca-cert-file {ca}",
            "tls-auth-clients yes",
        ]


@contextmanager
def started(server: RedisServer) -> Iterator[RedisServer]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The server that all tests share. Touch nothing there but what begins with your prefix."""
    with started(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def redis_prefix() -> str:
    """What the keys of this test begin with."""
    return f"tw:{uuid4().hex[:12]}:"


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = connect(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts a server that is the test's own: `own_redis("appendonly yes")`."""
    made: list[RedisServer] = []

    def make(*options: str) -> RedisServer:
        made.append(RedisServer(tmp_path / f"redis-{len(made)}", *options))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.kill()


async def until_answers(redis: Redis) -> None:
    """Returns when commands are answered again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await redis.ping()
            except RedisError:
                await asyncio.sleep(0.02)
            else:
                return
