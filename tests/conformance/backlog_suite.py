"""What every Backlog must do. Subclass BacklogSuite and give it a `make` fixture.

`make(bound)` gives a fresh, empty one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.region.backlog import FIRST, Backlog, Depth, Load

MakeBacklog = Callable[..., Backlog]


def load(n: int) -> Load:
    return Load(b"key", b"%d" % n)


async def items(backlog: Backlog, after: str = FIRST, limit: int = 100) -> list[bytes]:
    return [one.load.item for one in await backlog.read(after, limit=limit)]


class BacklogSuite:
    async def test_what_was_put_is_read_in_order(self, make: MakeBacklog) -> None:
        backlog = make()
        assert await backlog.put([load(1), load(2)]) == 2
        assert await backlog.put([load(3)]) == 1
        waiting = await backlog.read(FIRST, limit=100)
        assert [one.load for one in waiting] == [load(1), load(2), load(3)]
        assert await items(backlog, waiting[0].place) == [b"2", b"3"]
        assert await items(backlog, waiting[2].place) == []
        assert await items(backlog, limit=2) == [b"1", b"2"]

    async def test_bytes_are_kept_as_they_are(self, make: MakeBacklog) -> None:
        backlog, odd = make(), Load(bytes(range(256)), b"\xff\x00" * 20_000)
        await backlog.put([odd])
        [one] = await backlog.read(FIRST, limit=1)
        assert one.load == odd

    async def test_what_is_done_is_gone_in_whatever_order(self, make: MakeBacklog) -> None:
        backlog = make()
        await backlog.put([load(n) for n in range(5)])
        places = [one.place for one in await backlog.read(FIRST, limit=100)]
        await backlog.done([places[3], places[0]])
        await backlog.done([places[0]])
        await backlog.done([])
        assert await items(backlog) == [b"1", b"2", b"4"]

    async def test_it_is_bounded_and_takes_the_first(self, make: MakeBacklog) -> None:
        backlog = make(bound=3)
        assert await backlog.put([load(n) for n in range(5)]) == 3
        assert await backlog.put([load(9)]) == 0
        waiting = await backlog.read(FIRST, limit=100)
        assert [one.load for one in waiting] == [load(0), load(1), load(2)]
        await backlog.done([waiting[1].place])
        assert await backlog.put([load(9), load(10)]) == 1
        assert await items(backlog) == [b"0", b"2", b"9"]

    async def test_who_waits_is_given_what_comes(self, make: MakeBacklog) -> None:
        backlog = make()
        reading = asyncio.ensure_future(backlog.read(FIRST, limit=10, wait=5.0))
        await asyncio.sleep(0.05)
        assert not reading.done()
        await backlog.put([load(1)])
        async with asyncio.timeout(5):
            assert [one.load for one in await reading] == [load(1)]

    async def test_who_waits_in_vain_is_given_nothing(self, make: MakeBacklog) -> None:
        assert await make().read(FIRST, limit=10, wait=0.05) == []

    async def test_places_rise_also_after_everything_was_done(self, make: MakeBacklog) -> None:
        backlog = make()
        await backlog.put([load(1)])
        [first] = await backlog.read(FIRST, limit=1)
        await backlog.done([first.place])
        await backlog.put([load(2)])
        assert await items(backlog, first.place) == [b"2"]

    async def test_its_depth_is_told(self, make: MakeBacklog) -> None:
        backlog = make()
        assert await backlog.depth() == Depth(0, None)
        await backlog.put([load(1), load(2)])
        depth = await backlog.depth()
        assert depth.items == 2
        assert depth.oldest is not None
