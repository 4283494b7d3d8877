"""What every `Link` must do, whatever carries it: the invariants above transport/links/base.py.

A test module subclasses `LinkSuite` and gives it a fixture `links`: a function that makes an async
context manager of (dialler's end, listener's end), both live. Nothing here looks at how fast
anything is.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from transport.errors import CloseCode, LocalProtocolError, SessionClosed
from transport.links.base import (
    CLOSE_LINGER,
    MAX_KEY,
    MAX_MESSAGE,
    MAX_QUEUED,
    MAX_UNREAD,
    LinkFull,
    Message,
)
from transport.links.link import LinkEnd

PATIENCE = 15.0
"""Seconds after which a test that waits has failed."""

Maker = Callable[[], AbstractAsyncContextManager[tuple[LinkEnd, LinkEnd]]]


async def take(link: LinkEnd, count: int) -> list[Message]:
    async with asyncio.timeout(PATIENCE):
        return [await link.receive() for _ in range(count)]


async def until_closed(link: LinkEnd) -> tuple[list[Message], SessionClosed]:
    """What still came, and the end."""
    messages = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                messages.append(await link.receive())
            except SessionClosed as closed:
                return messages, closed


def by_key(messages: list[Message]) -> dict[bytes, list[bytes]]:
    found = defaultdict(list)
    for message in messages:
        found[message.key].append(message.data)
    return found


async def stands_still(link: LinkEnd) -> bool:
    """Whether the peer takes nothing any more."""
    try:
        async with asyncio.timeout(0.3):
            await link.drained()
    except TimeoutError:
        return True
    return False


async def fill(link: LinkEnd) -> int:
    """Send numbered messages until neither the link nor what carries it takes any more."""
    sent = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                link.send(b"k", b"%06d" % sent * 1_500)
                sent += 1
            except LinkFull:
                if await stands_still(link):
                    return sent


class LinkSuite:
    """Subclass it and give a fixture `links`."""

    async def test_both_know_each_other(self, links: Maker) -> None:
        async with links() as (here, there):
            assert (here.info.region, there.info.region) == ("there", "here")
            assert (here.info.dialled, there.info.dialled) == (True, False)
            assert here.info.way is there.info.way

    async def test_messages_cross_both_ways(self, links: Maker) -> None:
        async with links() as (here, there):
            here.send(b"a", b"up")
            there.send(b"b", b"down")
            assert await take(there, 1) == [Message(b"a", b"up")]
            assert await take(here, 1) == [Message(b"b", b"down")]

    async def test_order_of_each_key(self, links: Maker) -> None:
        async with links() as (here, there):
            for number in range(300):
                here.send(b"key %d" % (number % 7), b"%d" % number)
            found = by_key(await take(there, 300))
            assert found == {
                b"key %d" % key: [b"%d" % n for n in range(300) if n % 7 == key] for key in range(7)
            }

    async def test_sizes(self, links: Maker) -> None:
        async with links() as (here, there):
            sent = [
                Message(b"k", b""),
                Message(b"", b"no key"),
                Message(b"k" * MAX_KEY, b"\x00" * MAX_MESSAGE),
                *(Message(b"k", bytes([size % 256]) * size) for size in (1, 1_100, 1_300, 20_000)),
            ]
            for message in sent:
                here.send(message.key, message.data)
            assert by_key(await take(there, len(sent))) == by_key(sent)

    async def test_too_large_is_our_fault(self, links: Maker) -> None:
        async with links() as (here, there):
            for key, data in ((b"k" * (MAX_KEY + 1), b""), (b"k", b"x" * (MAX_MESSAGE + 1))):
                with pytest.raises(LocalProtocolError):
                    here.send(key, data)
            here.send(b"k", b"goes on")
            assert await take(there, 1) == [Message(b"k", b"goes on")]

    async def test_statistics(self, links: Maker) -> None:
        async with links() as (here, there):
            for _ in range(10):
                here.send(b"key", b"seven b")
            await take(there, 10)
            async with asyncio.timeout(PATIENCE):
                for link in (here, there):
                    while link.stats.rtt is None:  # noqa: ASYNC110, nobody tells of it
                        await asyncio.sleep(0.01)
            assert (here.stats.sent, here.stats.bytes_sent) == (10, 100)
            assert (there.stats.received, there.stats.bytes_received) == (10, 100)
            assert here.stats.rtt is not None
            assert 0 <= here.stats.rtt < PATIENCE

    # Bounds.

    async def test_a_peer_that_takes_nothing(self, links: Maker) -> None:
        """The sender is told, holds no more than it says, and loses nothing."""
        async with links() as (here, there):
            sent = await fill(here)
            assert MAX_QUEUED // 2 < here.stats.waiting <= MAX_QUEUED
            assert not here.closed
            assert not there.closed
            assert there.stats.received <= 2 * MAX_UNREAD
            messages = await take(there, sent)
            assert [int(message.data[:6]) for message in messages] == list(range(sent))

    async def test_drained_goes_on_when_the_peer_reads(self, links: Maker) -> None:
        async with links() as (here, there):
            total = 200

            async def write() -> None:
                for number in range(total):
                    try:
                        here.send(b"k", b"%06d" % number * 5_000)
                    except LinkFull:
                        await here.drained()
                        here.send(b"k", b"%06d" % number * 5_000)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(write())
                messages = await take(there, total)
            assert [int(message.data[:6]) for message in messages] == list(range(total))

    async def test_a_full_link_still_lives(
        self, links: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A receiver that takes its time is not taken for dead, nor does it take the sender so."""
        monkeypatch.setattr("transport.links.machine.HEARTBEAT", 0.3)
        async with links() as (here, there):
            sent = 0
            while sent < 3 * MAX_UNREAD:
                here.send(b"k", b"%06d" % sent)
                sent += 1
            await asyncio.sleep(1.2)
            assert not here.closed
            assert not there.closed
            messages = await take(there, sent)
            assert [int(message.data) for message in messages] == list(range(sent))

    # Heartbeats.

    async def test_heartbeats_keep_an_idle_link(
        self, links: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transport.links.machine.HEARTBEAT", 0.3)
        async with links() as (here, there):
            await asyncio.sleep(1.2)
            assert not here.closed
            assert not there.closed

    async def test_a_dead_peer_is_noticed(
        self, links: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transport.links.machine.HEARTBEAT", 0.1)
        async with links() as (here, there):
            there.abort()
            _, closed = await until_closed(here)
            # TCP says that it was cut; over QUIC there is only silence.
            assert closed.code in (CloseCode.ABNORMAL, CloseCode.HEARTBEAT_TIMEOUT)

    # The end.

    @pytest.mark.parametrize("dialler_leaves", [True, False])
    async def test_close_comes_after_what_was_sent(
        self, links: Maker, dialler_leaves: bool
    ) -> None:
        async with links() as (here, there):
            leaving, left = (here, there) if dialler_leaves else (there, here)
            for number in range(100):
                leaving.send(b"k", b"%04d" % number * 1_000)
            leaving.close(CloseCode.GOING_AWAY, "upgrade")
            messages, closed = await until_closed(left)
            assert [int(message.data[:4]) for message in messages] == list(range(100))
            assert (closed.code, closed.reason, closed.remote) == (4000, "upgrade", True)
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await asyncio.gather(here.wait_closed(), there.wait_closed())

    async def test_after_the_end_everything_raises_the_same(self, links: Maker) -> None:
        async with links() as (here, there):
            here.close(CloseCode.INTERNAL, "a fault")
            here.close(CloseCode.NORMAL, "changes nothing")
            await until_closed(there)
            for link in (here, there):
                assert link.closed
                for _ in range(2):
                    with pytest.raises(SessionClosed) as caught:
                        link.send(b"k", b"")
                    assert caught.value.code == CloseCode.INTERNAL
                    for waits in (link.receive, link.drained):
                        with pytest.raises(SessionClosed) as caught:
                            await waits()
                        assert caught.value.code == CloseCode.INTERNAL

    async def test_the_end_wakes_who_waits_for_room(self, links: Maker) -> None:
        async with links() as (here, there):
            await fill(here)
            waiting = asyncio.ensure_future(here.drained())
            await asyncio.sleep(0)
            there.close(CloseCode.GOING_AWAY)
            here.close(CloseCode.GOING_AWAY)
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(SessionClosed):
                    await waiting

    async def test_a_close_that_is_not_heard_takes_its_time_and_no_more(
        self, links: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transport.shell.CLOSE_LINGER", 0.5)
        async with links() as (here, _):
            await fill(here)
            here.close(CloseCode.GOING_AWAY)
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await here.wait_closed()

    async def test_a_cancelled_receive_loses_nothing(self, links: Maker) -> None:
        async with links() as (here, there):
            got: list[Message] = []
            for number in range(20):
                waiting = asyncio.ensure_future(there.receive())
                here.send(b"k", b"%d" % number)
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
                if not waiting.cancelled():
                    got.append(waiting.result())
            got += await take(there, 20 - len(got))
            assert [int(message.data) for message in got] == list(range(20))
