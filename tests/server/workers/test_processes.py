"""Several workers as real processes: together they are one server, whichever of them dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from server import smoke
from server.config import MAX_WORKERS
from tests.server.workers.fleet import (
    MAIN,
    PATIENCE,
    QUIC,
    TCP,
    Fleet,
    Person,
    Wire,
    history,
    person,
    started,
    until,
    wire,
)
from transport.client import Refusal
from transport.client.tickets import TicketCache
from transport.quic import steering
from transport.quic.aio.connection import Connection
from transport.session import TransportKind
from transport.uuid7 import uuid7
from transport.wire.frames import Drain, Presence


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    config = folder / "tradewind.toml"
    config.write_text("drain_seconds = 1\n")
    with started(folder, 2, "--config", str(config)) as fleet:
        yield fleet


async def spread(fleet: Fleet, stack: AsyncExitStack, tokens: list[str]) -> list[Wire]:
    """Sessions of these people, at least one on each of two workers."""
    wires: list[Wire] = []
    for attempt in range(40):
        kind = QUIC if attempt % 2 else TCP
        session = wire(fleet, tokens[attempt % len(tokens)], kind)
        wires.append(await stack.enter_async_context(session))
        if attempt >= 3:
            counts = await asyncio.to_thread(fleet.sessions)
            if sum(count > 0 for count in counts.values()) > 1:
                return wires
    raise AssertionError("all sessions came to one worker")


async def until_all(wires: list[Wire], chat: UUID, count: int) -> None:
    await until(lambda: min(len(w.delivered(chat)) for w in wires) >= count)


PACE = 0.21
"""Seconds between two messages: just under the rate a session is allowed."""


class Load:
    """People who say numbered things, one after the other, until told to stop."""

    def __init__(self) -> None:
        self.stopped = False
        self.accepted: dict[UUID, list[str]] = {}
        self.refused = 0
        self.longest = 0.0
        """Seconds that the slowest message waited for its `accepted`."""

    async def talk(self, who: Person, chat: UUID) -> None:
        said = self.accepted.setdefault(chat, [])
        while not self.stopped:
            text, began = f"{len(said)}", time.monotonic()
            try:
                await who.say(chat, text)
                self.longest = max(self.longest, time.monotonic() - began)
            except Refusal:
                self.refused += 1
                continue
            said.append(text)
            await asyncio.sleep(PACE)


async def nothing_lost_or_doubled(fleet: Fleet, load: Load, tokens: dict[UUID, str]) -> None:
    for chat, said in load.accepted.items():
        entries = await history(fleet, tokens[chat], chat, len(said))
        assert [entry.seq for entry in entries] == list(range(1, len(said) + 1))
        texts = [msgspec.msgpack.decode(entry.body)["text"] for entry in entries]
        assert texts == said


def test_the_settings_and_the_steering_agree() -> None:
    assert MAX_WORKERS == steering.MAX_WORKERS


async def test_smoke_over_every_transport(fleet: Fleet) -> None:
    rows = await smoke.run(smoke.Target(f"http://localhost:{fleet.plain_port}"))
    assert len(rows) > 2
    assert {row.error for row in rows} == {None}


async def test_people_on_different_workers_are_in_one_shop(fleet: Fleet) -> None:
    """Entries come in the order of their seq to everybody, and everybody knows who is online."""
    visitor, agent = await asyncio.to_thread(fleet.visitor), await asyncio.to_thread(fleet.agent)
    async with AsyncExitStack() as stack:
        wires = await spread(fleet, stack, [visitor, agent])
        chat = uuid7()
        wires[0].say(chat, "first")
        await until_all(wires, chat, 1)
        # Each within the rate of a session; all at once, so that they meet in the store.
        for round in range(15):
            for number, each in enumerate(wires):
                each.say(chat, f"{number}: {round}")
            await asyncio.sleep(0.01)
        total = 1 + 15 * len(wires)
        await until_all(wires, chat, total)
        for each in wires:
            assert each.delivered(chat) == list(range(1, total + 1))
        agents = wires[1::2]
        for each in agents:
            await each.until(Presence)
        late = await stack.enter_async_context(wire(fleet, visitor, QUIC))
        await late.until(Presence)


async def test_a_ticket_of_one_worker_starts_early_at_another(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected: list[Connection] = []

    def note(connection: Connection, now: float) -> None:
        rejected.append(connection)
        again(connection, now)

    again = Connection.early_data_rejected
    monkeypatch.setattr(Connection, "early_data_rejected", note)
    token, tickets = await asyncio.to_thread(fleet.visitor), TicketCache()
    early = 0
    for _ in range(17):
        async with person(fleet, token, TransportKind.QUIC, tickets) as who:
            await until(lambda: tickets.has("localhost", fleet.port))
            early += who.early
        await asyncio.sleep(0.1)  # The news goes round.
    assert early >= 12
    assert len(rejected) <= 4  # Half of them, if each worker knew its own only.


async def test_the_metrics_are_of_all_workers_and_ready_says_yes(fleet: Fleet) -> None:
    status, text = await asyncio.to_thread(fleet.ask, "GET", "/metrics")
    assert status == 200
    for worker in (0, 1):
        assert f'tradewind_listener{{what="quic_accepted",worker="{worker}"}}' in text
    assert (await asyncio.to_thread(fleet.ask, "GET", "/readyz"))[0] == 200


async def test_a_killed_worker_is_replaced_and_its_sessions_go_on(fleet: Fleet) -> None:
    load = Load()
    async with AsyncExitStack() as people:
        tokens: dict[UUID, str] = {}
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                token = await asyncio.to_thread(fleet.visitor)
                tokens[chat := uuid7()] = token
                kind = QUIC if number % 2 else TCP
                who = await people.enter_async_context(person(fleet, token, kind))
                tasks.create_task(load.talk(who, chat))
            await asyncio.to_thread(fleet.kill, "worker 0")
            before = {chat: len(said) for chat, said in load.accepted.items()}
            await until(lambda: all(len(load.accepted[c]) >= n + 3 for c, n in before.items()))
            load.stopped = True
        assert load.refused == 0
        await nothing_lost_or_doubled(fleet, load, tokens)


async def test_a_killed_store_is_replaced_and_what_was_accepted_is_there(fleet: Fleet) -> None:
    load = Load()
    async with AsyncExitStack() as people:
        tokens: dict[UUID, str] = {}
        listeners: list[Wire] = []
        agent = await asyncio.to_thread(fleet.agent)
        for _ in range(2):
            listeners.append(await people.enter_async_context(wire(fleet, agent, TCP)))
        async with asyncio.TaskGroup() as tasks:
            for number in range(4):
                token = await asyncio.to_thread(fleet.visitor)
                tokens[chat := uuid7()] = token
                kind = QUIC if number % 2 else TCP
                who = await people.enter_async_context(person(fleet, token, kind))
                tasks.create_task(load.talk(who, chat))
            await asyncio.sleep(0.3)
            before = sum(map(len, load.accepted.values()))
            await asyncio.to_thread(fleet.kill, "store")
            await until(lambda: sum(map(len, load.accepted.values())) >= before + 8)
            load.stopped = True
        await nothing_lost_or_doubled(fleet, load, tokens)
        # Who was connected is asked to begin anew, because something may have been missed.
        for listener in listeners:
            await listener.until(Drain)
    assert (await asyncio.to_thread(fleet.ask, "GET", "/readyz"))[0] == 200


async def test_without_a_store_nobody_is_ready(fleet: Fleet) -> None:
    os.kill(fleet.pid("store"), signal.SIGSTOP)
    try:
        status, text = await asyncio.to_thread(fleet.ask, "GET", "/readyz")
        assert (status, json.loads(text)["code"]) == (503, "unavailable")
    finally:
        os.kill(fleet.pid("store"), signal.SIGCONT)
    assert (await asyncio.to_thread(fleet.ask, "GET", "/readyz"))[0] == 200


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_rolling_restart_is_noticed_by_nobody(fleet: Fleet, turn: int) -> None:
    """Twice, so that each bank hands over to the other once."""
    load = Load()
    async with AsyncExitStack() as people:
        tokens: dict[UUID, str] = {}
        clients: list[Person] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                token = await asyncio.to_thread(fleet.visitor)
                tokens[chat := uuid7()] = token
                kind = QUIC if number % 2 else TCP
                clients.append(await people.enter_async_context(person(fleet, token, kind)))
                tasks.create_task(load.talk(clients[-1], chat))
            before = set(await asyncio.to_thread(fleet.sessions))
            rolled = fleet.count("rolled")
            await asyncio.to_thread(_reload, fleet)
            await asyncio.to_thread(fleet.logged, "rolled", rolled + 1)
            load.stopped = True
        print(f"slowest of {sum(map(len, load.accepted.values()))}: {load.longest:.3f} s")
        after = set(await asyncio.to_thread(fleet.sessions))
        assert not before & after
        assert [client.connections for client in clients] == [2] * 6
        # Each moved because it was asked to: none of its sessions ended under it.
        assert [client.client.last_error for client in clients] == [None] * 6
        assert load.refused == 0
        await nothing_lost_or_doubled(fleet, load, tokens)


def _reload(fleet: Fleet) -> None:
    command = [sys.executable, "-c", MAIN, "reload", "--data-dir", str(fleet.folder)]
    subprocess.run(command, check=True, timeout=PATIENCE)


async def test_new_workers_that_do_not_start_leave_the_old_ones_in_place(fleet: Fleet) -> None:
    config = fleet.folder / "tradewind.toml"
    good, broken = "drain_seconds = 1\n", 'certificate = "none.pem"\nkey = "none.pem"\n'
    before = await asyncio.to_thread(fleet.sessions)
    for number, settings in enumerate((broken, "wrong = 1\n"), 1):
        config.write_text(settings)
        os.kill(fleet.process.pid, signal.SIGHUP)
        kept = "the new workers did not start; the old ones go on"
        said = await asyncio.to_thread(fleet.logged, kept, number)
        assert ("none.pem", "wrong")[number - 1] in said[-1]["reason"]
        assert (await asyncio.to_thread(fleet.ask, "GET", "/readyz"))[0] == 200
    assert set(await asyncio.to_thread(fleet.sessions)) == set(before)
    config.write_text(good)


def test_a_second_server_on_the_folder_or_the_port_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    for folder, port, says in (
        (fleet.folder, 0, "another server"),
        (tmp_path, fleet.port, "--port"),
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-c", MAIN, "serve"),
                *("--workers", "2", "--no-http", "--data-dir", str(folder)),
                *("--port", str(port)),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr


async def test_leaving_asks_all_to_move_and_ends_everything(fleet: Fleet) -> None:
    """The last test of this fleet."""
    token = await asyncio.to_thread(fleet.visitor)
    async with wire(fleet, token, TCP) as one, wire(fleet, token, QUIC) as other:
        fleet.process.send_signal(signal.SIGTERM)
        await one.until(Drain)
        await other.until(Drain)
    assert await asyncio.to_thread(fleet.process.wait, PATIENCE) == 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", fleet.port))
    left = {path.name for path in fleet.folder.iterdir() if path.suffix == ".sock"}
    assert left == set()


def test_children_do_not_outlive_their_parent(tmp_path: Path) -> None:
    with started(tmp_path, TRADEWIND_DRAIN_SECONDS="0.2") as fleet:
        pids = [fleet.pid(name) for name in ("store", "worker 0", "worker 1")]
        fleet.process.kill()
        deadline = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.02)
