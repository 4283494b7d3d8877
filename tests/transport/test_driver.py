"""What the driver owes its own side: `serve`, tasks, timers, and the writes it makes."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.conformance.session_suite import until_closed
from transport.alarm import Alarm
from transport.driver import Driver
from transport.errors import CloseCode, SessionClosed
from transport.memory import MemoryCarrier, Network, _Pipe
from transport.outlet import CHUNK, Outlet
from transport.session import Session, SessionInfo, TransportKind
from transport.wire.frames import VERSION, Call, Hello
from transport.wire.lane import Via
from transport.wire.machine import Role


def ends(network: Network) -> tuple[Driver, Driver]:
    """(client, server), not running."""
    there, back = _Pipe(network, 1), _Pipe(network, 2)
    info = SessionInfo(uuid4(), TransportKind.MEMORY, ("", 0), None, "")
    client = Driver(MemoryCarrier(network, there, back), info, Role.CLIENT)
    return client, Driver(MemoryCarrier(network, back, there), info, Role.SERVER)


async def served(serve: object) -> SessionClosed:
    """How a client sees the end of a session with this `serve`."""
    client, server = ends(Network())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        tasks.create_task(server.run(serve))  # type: ignore[arg-type]
        client.send(Hello(VERSION, "t"))
        _, closed = await until_closed(client)
    return closed


async def test_serve_that_raises() -> None:
    async def serve(session: Session) -> None:
        await session.receive()
        raise RuntimeError("the secret is 42")

    closed = await served(serve)
    assert closed.code == CloseCode.INTERNAL
    assert "42" not in closed.reason


async def test_serve_that_returns() -> None:
    async def serve(session: Session) -> None:
        await session.receive()

    assert (await served(serve)).code == CloseCode.GOING_AWAY


async def test_serve_that_trips_over_another_session() -> None:
    async def serve(session: Session) -> None:
        raise SessionClosed(CloseCode.NORMAL, "some other one")

    assert (await served(serve)).code == CloseCode.INTERNAL


async def test_run_waits_for_serve_to_clean_up() -> None:
    cleaned = asyncio.Event()

    async def serve(session: Session) -> None:
        try:
            await session.receive()
        finally:
            await session.wait_closed()
            await asyncio.sleep(0.01)
            cleaned.set()

    client, server = ends(Network())
    running = asyncio.ensure_future(server.run(serve))
    await asyncio.sleep(0)
    client.abort()
    await running
    assert cleaned.is_set()


async def test_cancelled_it_cancels_serve_and_cuts_the_carrier() -> None:
    cancelled = asyncio.Event()

    async def serve(session: Session) -> None:
        try:
            await session.receive()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    before = asyncio.all_tasks()
    client, server = ends(Network())
    there = asyncio.ensure_future(client.run())
    running = asyncio.ensure_future(server.run(serve))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cancelled.is_set()
    _, closed = await until_closed(client)
    assert closed.code == CloseCode.ABNORMAL
    await there
    assert asyncio.all_tasks() == before


async def test_idle_it_has_no_task_but_the_one_that_runs_it() -> None:
    before = len(asyncio.all_tasks())
    client, server = ends(Network())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        tasks.create_task(server.run())
        client.send(Hello(VERSION, "t"))
        await server.receive()
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before + 2
        client.close(CloseCode.NORMAL)


async def test_a_carrier_that_never_lets_go_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.shell.CLOSE_LINGER", 0.1)
    _, server = ends(Network())
    aborted: list[bool] = []

    async def close(code: int, reason: str) -> None:
        await asyncio.Event().wait()

    def abort() -> None:
        aborted.append(True)

    server._carrier.close = close  # type: ignore[method-assign]
    server._carrier.abort = abort  # type: ignore[method-assign]
    running = asyncio.ensure_future(server.run())  # The client does not run at all.
    await asyncio.sleep(0)
    server.close(CloseCode.GOING_AWAY)
    assert not aborted
    async with asyncio.timeout(2):
        await server.wait_closed()
        await running
    assert aborted


async def test_datagrams_pass_a_stream_that_is_blocked() -> None:
    client, server = ends(Network())
    stream_open = asyncio.Event()
    carrier = client._carrier
    original = carrier.send

    async def send(via: Via, data: bytes) -> None:
        if via is Via.STREAM:
            await stream_open.wait()
        await original(via, data)

    carrier.send = send  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        tasks.create_task(server.run())
        client.send(Hello(VERSION, "t"))
        await asyncio.sleep(0.1)  # The stream's copy is due by now, and stuck.
        client.send(Call(1, "history"))
        async with asyncio.timeout(5):
            assert [await server.receive(), await server.receive()] == [
                Hello(VERSION, "t"),
                Call(1, "history"),
            ]
        stream_open.set()
        client.close(CloseCode.NORMAL)


class TestOutlet:
    def test_messages_stay_whole_and_stream_bytes_join(self) -> None:
        outlet = Outlet()
        for via, data in ((Via.STREAM, b"ab"), (Via.STREAM, b"cd"), (Via.STREAM, b"x" * CHUNK)):
            outlet.put(via, data)
        outlet.put(Via.STREAM, b"tail")
        assert outlet.size == 8 + CHUNK
        assert list(outlet.drain()) == [
            (Via.STREAM, b"abcd" + b"x" * CHUNK),
            (Via.STREAM, b"tail"),
        ]
        for data in (b"1", b"2"):
            outlet.put(Via.MESSAGE, data)
        assert list(outlet.drain()) == [(Via.MESSAGE, b"1"), (Via.MESSAGE, b"2")]
        assert not outlet.waiting

    def test_what_comes_while_it_drains_is_drained_too(self) -> None:
        outlet = Outlet()
        outlet.put(Via.MESSAGE, b"1")
        drain = outlet.drain()
        assert next(drain) == (Via.MESSAGE, b"1")
        outlet.put(Via.MESSAGE, b"2")
        assert next(drain) == (Via.MESSAGE, b"2")


class TestAlarm:
    async def test_rings_at_the_earliest_time_once(self) -> None:
        loop = asyncio.get_running_loop()
        rang: list[float] = []
        alarm = Alarm(loop, rang.append)
        start = loop.time()
        alarm.arm(start + 0.05)
        alarm.arm(start + 0.01)
        alarm.arm(start + 5)
        alarm.arm(None)
        await asyncio.sleep(0.1)
        assert len(rang) == 1
        assert rang[0] >= start + 0.01

    async def test_cancelled_it_is_silent(self) -> None:
        loop = asyncio.get_running_loop()
        rang: list[float] = []
        alarm = Alarm(loop, rang.append)
        alarm.arm(loop.time() + 0.01)
        alarm.cancel()
        await asyncio.sleep(0.03)
        assert rang == []
