"""PostgreSQL goes away and comes back: what waits is kept within its bounds, then refused."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest

from bench.peers.postgres import Cluster, children
from storage.base import Appended, Shop, StoreBusy, StoreUnavailable
from storage.commit import Bounds
from storage.open import Storage, open_storage
from storage.postgres import connect, pool, writer
from storage.postgres.connect import connected
from storage.url import parse
from tests.conformance.log_suite import draft, fresh

Calls = list["asyncio.Task[list[Appended]]"]


@pytest.fixture
async def storage(own_postgres: Cluster) -> AsyncIterator[Storage]:
    url = await asyncio.to_thread(own_postgres.create, "shop")
    storage = open_storage(url, Bounds(waiting_drafts=20))
    await storage.log.append([draft(uuid4())])
    yield storage
    await storage.close()


async def test_what_waits_is_kept_until_it_is_back(storage: Storage, own_postgres: Cluster):
    conversation = uuid4()
    await asyncio.to_thread(own_postgres.stop)
    calls = [asyncio.ensure_future(storage.log.append([draft(conversation)])) for _ in range(20)]
    asking = asyncio.ensure_future(storage.log.heads([conversation]))
    await asyncio.sleep(0.5)
    with pytest.raises(StoreBusy):
        await storage.log.append([draft(conversation)])
    assert not any(call.done() for call in calls)
    await asyncio.to_thread(own_postgres.start)
    told = await asyncio.gather(*calls)
    assert [fresh(result).seq for [result] in told] == list(range(1, 21))
    await asking
    await storage.directory.put_shop(Shop("zebra", "Zebra", ()))


async def test_then_callers_are_refused_and_it_recovers_by_itself(
    storage: Storage, own_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "PATIENCE", 0.3)
    monkeypatch.setattr(pool, "PATIENCE", 0.3)
    conversation = uuid4()
    await asyncio.to_thread(own_postgres.kill)
    for _ in range(2):
        calls = [storage.log.append([draft(conversation)]) for _ in range(20)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in told} == {StoreUnavailable}
        assert "is PostgreSQL running?" in str(told[0])
        with pytest.raises(StoreUnavailable, match="is PostgreSQL running"):
            await storage.log.read(conversation)
    await asyncio.to_thread(own_postgres.start)
    monkeypatch.undo()
    [result] = await storage.log.append([draft(conversation)])
    assert fresh(result).seq == 1
    assert await storage.log.read(conversation) == [fresh(result)]


async def test_sessions_that_are_cut_cost_nobody_anything(storage: Storage, own_postgres: Cluster):
    """As a restart, a failover or an operator does; each call is fresh to its only caller."""
    conversation = uuid4()

    async def cut() -> None:
        for _ in range(10):
            await asyncio.sleep(0.03)
            await asyncio.to_thread(
                own_postgres.sql,
                "shop",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'tradewind'",
            )

    async def send() -> list[int]:
        seqs = []
        while not cutting.done():
            [result] = await storage.log.append([draft(conversation)])
            seqs.append(fresh(result).seq)
            assert (await storage.log.heads([conversation]))[conversation].seq >= seqs[-1]
        return seqs

    cutting = asyncio.ensure_future(cut())
    told = await asyncio.gather(*(send() for _ in range(5)))
    assert all(seqs == sorted(seqs) for seqs in told)
    every = sorted(seq for seqs in told for seq in seqs)
    assert every == list(range(1, len(every) + 1))


async def test_close_ends_while_it_is_away(
    storage: Storage, own_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "PATIENCE", 0.3)
    await asyncio.to_thread(own_postgres.kill)
    call = asyncio.ensure_future(storage.log.append([draft(uuid4())]))
    await asyncio.sleep(0)
    await storage.close()
    assert isinstance(call.exception(), StoreUnavailable)


async def test_a_server_that_froze_is_left(own_postgres: Cluster, monkeypatch: pytest.MonkeyPatch):
    storage = open_storage(await asyncio.to_thread(own_postgres.create, "shop"))
    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    monkeypatch.setattr(connect, "CONNECT", 0.2)
    conversation = uuid4()
    with frozen(own_postgres), pytest.raises(StoreUnavailable, match="did not answer in time"):
        await storage.log.append([draft(conversation)])
    monkeypatch.undo()
    [result] = await storage.log.append([draft(conversation)])
    assert fresh(result).seq == 1
    await storage.close()


@contextmanager
def frozen(server: Cluster) -> Iterator[None]:
    """A server whose connections are accepted, by the kernel, and which does nothing."""
    pids = [server.pid, *children(server.pid)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_a_worker_that_froze_holds_nobody_up(
    storage: Storage, own_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
):
    """It has locked a conversation and says no more: the server ends its session."""
    conversation = uuid4()
    await storage.log.append([draft(conversation)])
    settings = {"idle_in_transaction_session_timeout": "300"}
    async with connected(parse(own_postgres.url("shop")), settings) as frozen:
        await frozen.execute("BEGIN")
        await frozen.execute("SELECT FROM heads WHERE conversation = $1 FOR UPDATE", conversation)
        [result] = await storage.log.append([draft(conversation)])
        assert fresh(result).seq == 2
