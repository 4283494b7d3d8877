"""The store of another process keeps the promises of the seams, and what happens without it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from storage.base import Appended, Directory, Shop, StoreUnavailable
from storage.commit import Bounds
from storage.memory import MemoryDirectory, MemoryLog
from storage.open import Storage, open_remote, open_storage
from storage.remote import Link, RemoteDirectory, RemoteLog, RemoteSearch, serving
from storage.remote.framing import MAX_MESSAGE, Splitter, frame
from storage.remote.messages import METHODS
from tests.conformance.directory_suite import DirectorySuite
from tests.conformance.log_suite import LogSuite, MakeLog, draft, fresh

SHOP = Shop("zebra", "Zebra", ())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Storage]:
    """A real file behind the socket."""
    storage = open_storage(f"sqlite:///{tmp_path / 'store.db'}")
    async with serving(tmp_path / "store.sock", storage.log, storage.directory):
        yield storage
    await storage.close()


class TestRemoteLog(LogSuite):
    @pytest.fixture
    async def make(self, store: Storage, tmp_path: Path) -> AsyncIterator[MakeLog]:
        made: list[RemoteLog] = []

        def make(bounds: Bounds | None = None) -> RemoteLog:
            made.append(RemoteLog(Link(tmp_path / "store.sock", bounds)))
            return made[-1]

        yield make
        for log in made:
            await log.close()


class TestRemoteDirectory(DirectorySuite):
    @pytest.fixture
    async def directory(self, store: Storage, tmp_path: Path) -> AsyncIterator[Directory]:
        remote = RemoteDirectory(Link(tmp_path / "store.sock"))
        yield remote
        await remote.close()


class Place:
    """A store that can be taken away and put back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = MemoryLog()
        self.directory = MemoryDirectory()
        self._stack = AsyncExitStack()

    async def up(self) -> None:
        await self._stack.enter_async_context(serving(self.path, self.log, self.directory))

    async def down(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path / "store.sock")
    yield place
    await place.down()
    await place.log.close()


@pytest.fixture
async def link(place: Place) -> AsyncIterator[Link]:
    link = Link(place.path, patience=10.0)
    yield link
    await link.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what it waits for tells nobody
            await asyncio.sleep(0.005)


async def test_the_socket_is_for_its_owner_only(place: Place) -> None:
    await place.up()
    assert place.path.stat().st_mode & 0o777 == 0o600
    await place.down()
    assert not place.path.exists()


async def test_nobody_there(place: Place, link: Link) -> None:
    log, directory = RemoteLog(link), RemoteDirectory(link)
    for call in (log.append([draft(uuid4())]), directory.list_shops()):
        with pytest.raises(StoreUnavailable, match=r"store\.sock"):
            await call
    await place.up()
    assert await directory.list_shops() == []


async def test_it_comes_back(place: Place, link: Link) -> None:
    log, conversation = RemoteLog(link), uuid4()
    await place.up()
    await log.append([draft(conversation)])
    await place.down()
    await until(lambda: not link._wire.is_open())
    with pytest.raises(StoreUnavailable):
        await log.append([draft(conversation)])
    await place.up()
    [result] = await log.append([draft(conversation)])
    assert fresh(result).seq == 2


class Stuck(MemoryLog):
    """Commits, and then does not get to say so."""

    def __init__(self) -> None:
        super().__init__()
        self.committed = 0
        self.free = asyncio.Event()

    async def append(self, drafts):  # type: ignore[no-untyped-def]
        results = await super().append(drafts)
        self.committed += 1
        await self.free.wait()
        return results


async def test_what_was_under_way_is_asked_again_and_stored_once(
    tmp_path: Path, link: Link, place: Place
) -> None:
    """The store is lost between the commit and the answer."""
    stuck, conversation, sent = Stuck(), uuid4(), draft(uuid4())
    listener = asyncio.create_task(_serve_until_cancelled(place.path, stuck))
    await until(place.path.exists)
    asked = asyncio.create_task(RemoteLog(link).append([sent]))
    await until(lambda: stuck.committed == 1)
    link._wire.close()  # What the kernel does when the other process is killed.
    await until(lambda: stuck.committed == 2)
    stuck.free.set()
    [result] = await asked
    assert isinstance(result, Appended)
    assert not result.fresh
    assert await stuck.read(sent.conversation) == [result.entry]
    assert await stuck.read(conversation) == []
    listener.cancel()
    await asyncio.wait([listener])
    await stuck.close()


async def _serve_until_cancelled(path: Path, log: MemoryLog) -> None:
    async with serving(path, log, MemoryDirectory()):
        await asyncio.Event().wait()


async def test_patience_ends(place: Place) -> None:
    stuck = Stuck()
    listener = asyncio.create_task(_serve_until_cancelled(place.path, stuck))
    await until(place.path.exists)
    link = Link(place.path, patience=0.1)
    asked = asyncio.create_task(RemoteLog(link).append([draft(uuid4())]))
    await until(lambda: stuck.committed == 1)
    place.path.unlink()
    link._wire.close()
    with pytest.raises(StoreUnavailable):
        await asked
    stuck.free.set()
    listener.cancel()
    await asyncio.wait([listener])
    await link.close()
    await stuck.close()


@pytest.mark.parametrize(
    "rubbish", [b"\xff" * 64, frame(b"\xc1"), (MAX_MESSAGE + 1).to_bytes(4, "big") + b"x"]
)
async def test_rubbish_ends_a_connection_and_no_other(
    place: Place, link: Link, rubbish: bytes
) -> None:
    await place.up()
    directory = RemoteDirectory(link)
    await directory.put_shop(SHOP)
    reader, writer = await asyncio.open_unix_connection(str(place.path))
    writer.write(rubbish)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    assert await directory.list_shops() == [SHOP]


async def test_arguments_that_do_not_fit_are_an_error_of_the_caller(
    place: Place, link: Link
) -> None:
    await place.up()
    with pytest.raises(ValueError):
        await RemoteLog(link).read(uuid4(), after=2**70)
    assert await RemoteDirectory(link).list_shops() == []


async def test_an_unforeseen_fault_of_the_store_reaches_one_caller_only(
    place: Place, link: Link
) -> None:
    await place.up()
    place.log._entries = None  # type: ignore[assignment]
    with pytest.raises(Exception, match="attribute"):
        await RemoteLog(link).read(uuid4())
    assert await RemoteDirectory(link).list_shops() == []


async def test_opened_as_a_storage(place: Place) -> None:
    await place.up()
    storage = open_remote(place.path)
    await storage.directory.put_shop(SHOP)
    assert await place.directory.list_shops() == [SHOP]
    await storage.close()


def test_every_method_of_the_seams_is_carried() -> None:
    for remote in (RemoteLog, RemoteDirectory, RemoteSearch):
        own = {name for name in vars(remote) if not name.startswith("_")} - {"close"}
        assert own <= METHODS.keys()
    assert len(METHODS) == 30


def test_messages_come_out_whole_however_they_arrive() -> None:
    messages = [b"", b"a", b"bc" * 1000, b"d"]
    stream = b"".join(map(frame, messages))
    for step in (1, 3, 1000, len(stream)):
        splitter, out = Splitter(), []
        for at in range(0, len(stream), step):
            out += list(splitter.feed(stream[at : at + step]))
        assert out == messages


def test_a_path_that_is_taken_by_what_was_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    async def run() -> None:
        async with serving(path, MemoryLog(), MemoryDirectory()):
            link = Link(path)
            assert await RemoteDirectory(link).list_shops() == []
            await link.close()

    asyncio.run(run())
