"""`tradewind smoke`: does it work, over every transport, from where I am?

Each row is two sessions of one fresh visitor. One sends, both receive; then its transport is cut,
something is said meanwhile, and it resumes from where it stood.

What holds always: it uses only what any client may use; a row that fails says why and does not stop
the others; it takes at most TIMEOUT seconds per row.
May import: the client of transport.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from transport.client.dial import KINDS, dial
from transport.client.trust import Trust
from transport.driver import Driver
from transport.errors import TransportError
from transport.session import TransportKind
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import (
    VERSION,
    Accepted,
    Deliver,
    Hello,
    Position,
    Refused,
    Send,
    Welcome,
)

TIMEOUT = 20.0
"""Seconds that one row may take."""
MESSAGES = 5
"""Messages timed per row; the median is shown."""


class Unreachable(Exception):
    """The server's REST cannot be used at all. The message says why."""


class Broken(Exception):
    """What a row found wrong."""


class Target(Struct, frozen=True):
    """What to try."""

    url: str
    shop: str = "demo"
    insecure: bool = False
    ca: Path | None = None

    def trust(self, hashes: list[str]) -> Trust:
        """Whom to believe: what was asked for, else the hashes that the server published."""
        if self.insecure or self.ca is not None:
            return Trust(insecure=self.insecure, ca_file=self.ca)
        return Trust(certificate_hashes=tuple(hashes))


class Row(Struct, frozen=True):
    """What came out for one transport, in milliseconds; `error` None when all went well."""

    transport: str
    connect: float | None = None
    accepted: float | None = None
    delivered: float | None = None
    resumed: float | None = None
    error: str | None = None


class _Way(Struct, frozen=True):
    """How one transport of this server is reached."""

    url: str
    kind: TransportKind
    trust: Trust
    token: str


async def run(target: Target) -> list[Row]:
    """A row for every transport. Raises Unreachable."""
    return [await _row(target, kind) for kind in KINDS]


async def _row(target: Target, kind: TransportKind) -> Row:
    # A visitor per row, so that rows do not share a rate.
    session = await asyncio.to_thread(_visitor, target)
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _try(_way(target, kind, session))
    except TimeoutError:
        return Row(kind, error=f"no answer within {TIMEOUT:g} s")
    except (Broken, TransportError, OSError) as error:
        return Row(kind, error=str(error))
    except BaseExceptionGroup as group:
        known = group.subgroup((Broken, TransportError, OSError))
        if known is None or group.split((Broken, TransportError, OSError))[1] is not None:
            raise
        return Row(kind, error="; ".join(str(error) for error in _leaves(known)))


def _way(target: Target, kind: TransportKind, session: dict[str, Any]) -> _Way:
    connect = session["connect"]
    hashes = (connect["webtransport"] or {}).get("certificate_hashes", [])
    if kind is TransportKind.WEBSOCKET_H1:
        url = connect["websocket"]["url"]
    elif connect["webtransport"] is None:
        raise Broken("the server does not offer it")
    else:
        url = connect["webtransport"]["url"]
    return _Way(url, kind, target.trust(hashes), session["token"])


async def _try(way: _Way) -> Row:
    clock, chat = time.monotonic, uuid7()
    started = clock()
    async with _joined(way) as other:
        connect = clock() - started
        async with _joined(way) as mine:
            times = [await _exchange(mine, other, chat) for _ in range(MESSAGES)]
            mine.abort()
        missed = await _send(other, chat)
        started = clock()
        async with _joined(way, (Position(chat, 1, MESSAGES),)) as again:
            entry = await _entry(again, missed)
            resumed = clock() - started
    if entry.seq != MESSAGES + 1:
        raise Broken(f"resumed at {entry.seq} instead of {MESSAGES + 1}")
    accepted, delivered = zip(*times, strict=True)
    return Row(
        way.kind,
        _ms(connect),
        _ms(statistics.median(accepted)),
        _ms(statistics.median(delivered)),
        _ms(resumed),
    )


@asynccontextmanager
async def _joined(way: _Way, resume: tuple[Position, ...] = ()) -> AsyncIterator[Driver]:
    async with dial(way.url, way.kind, trust=way.trust) as session:
        session.send(Hello(VERSION, way.token, resume, "tradewind-smoke"))
        while not isinstance(frame := await session.receive(), Welcome):
            pass
        if not all(answer.recovered for answer in frame.resumed):
            raise Broken("the position was not recovered")
        yield session


async def _exchange(mine: Driver, other: Driver, chat: UUID) -> tuple[float, float]:
    """Seconds from a send to its `accepted`, and to its delivery at the other session."""
    client_id, started = uuid7(), time.monotonic()
    mine.send(Send(client_id, chat, "message", pack({"text": "smoke"})))

    async def arrival() -> float:
        await _entry(other, client_id)
        return time.monotonic() - started

    async with asyncio.TaskGroup() as tasks:
        delivered = tasks.create_task(arrival())
        await _accepted(mine, client_id)
        accepted = time.monotonic() - started
    return accepted, delivered.result()


async def _send(session: Driver, chat: UUID) -> UUID:
    client_id = uuid7()
    session.send(Send(client_id, chat, "message", pack({"text": "meanwhile"})))
    await _accepted(session, client_id)
    return client_id


async def _accepted(session: Driver, client_id: UUID) -> None:
    while True:
        frame = await session.receive()
        if isinstance(frame, Refused):
            raise Broken(f"refused: {frame.message}")
        if isinstance(frame, Accepted) and frame.client_id == client_id:
            return


async def _entry(session: Driver, client_id: UUID) -> Deliver:
    while True:
        frame = await session.receive()
        if isinstance(frame, Deliver) and frame.client_id == client_id:
            return frame


def _visitor(target: Target) -> dict[str, Any]:
    """A new visitor's session, by REST as any page gets it."""
    url = f"{target.url.rstrip('/')}/v1/visitor/session"
    request = urllib.request.Request(
        url,
        data=json.dumps({"shop": target.shop}).encode(),
        headers={"Content-Type": "application/json"},
    )
    context = target.trust([]).context() if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:
            return msgspec.json.decode(response.read(), type=dict[str, Any])
    except urllib.error.HTTPError as error:
        with error:
            raise Unreachable(f"{url} answered {error.code}: {error.read()[:200]!r}") from None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        hint = ""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            hint = " (for a development certificate use --insecure, or --ca)"
        raise Unreachable(f"cannot use {url}: {error}{hint}") from None


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
