"""The scenarios over an emulated network, at a tiny size, from end to end."""

from __future__ import annotations

from uuid import UUID

import pytest
from msgspec import structs

from bench.load.walk import Arrival, Listened, Spoken
from bench.network import Shape
from bench.profiles import Profile
from bench.scenarios import connect, roam

SHORT = Shape(delay=0.02)
PATH = Profile(name="short", about="40 ms RTT", basis="A test.", up=SHORT, down=SHORT)


async def test_connect_times_a_way_in_round_trips(linux_root: None) -> None:
    ways = tuple(way for way in connect.WAYS if way.name.startswith(("0-RTT", "UDP blocked")))
    result = await connect.measure(PATH, tries=2, seed=1, ways=ways)
    table = result.tables[0]
    early, blocked = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    told = ("tries", "early", "carried by", "budget")
    assert [early[name] for name in told] == [2, "2 of 2", "quic", 1.2]
    assert [blocked[name] for name in told] == [2, "0 of 2", "websocket-h1", None]
    assert float(str(early["round trips"])) >= 1.0, "nothing is faster than light"
    assert float(str(blocked["p50 ms"])) >= 300, "the head start comes first"


@pytest.mark.parametrize("event", ["rebind", "address"])
async def test_roam_loses_nothing(linux_root: None, event: str) -> None:
    walk = roam.Walk(
        path=PATH, seed=1, events=(event,), workers=(1,), before=0.5, after=1.0, times=2
    )
    result = await roam.measure(walk)
    [row] = result.tables[0].rows
    assert row[:3] == (roam.EVENTS[event], 1, 2)
    assert int(str(row[3])) > 20, "there was something to lose"
    assert row[4:7] == (0, 0, 0)
    assert row[-2] == 1, "the session stayed"
    assert result.summary.startswith("nothing")


CHAT, FIRST, SECOND = UUID(int=1), UUID(int=2), UUID(int=3)


def told(arrivals: list[Arrival]) -> roam.Told:
    return roam.Told(
        event="rebind",
        workers=1,
        moments=(roam.Moment(0),),
        spoken=[Spoken(CHAT, FIRST, 0), Spoken(CHAT, SECOND, 0)],
        listened=Listened(arrivals, []),
    )


@pytest.mark.parametrize(
    ("order", "breaches"),
    [([1, 2], 0), ([1], 1), ([2, 1], 1), ([1, 2, 2], 1), ([], 2)],
)
def test_what_a_listener_missed_is_seen(order: list[int], breaches: int) -> None:
    ids = {1: FIRST, 2: SECOND}
    arrivals = [Arrival(CHAT, ids[seq], seq, 0) for seq in order]
    assert told(arrivals).verdict.breaches == breaches


def test_silence_is_the_longest_that_ends_after_the_event() -> None:
    at = [0, 5, 6, 9, 10]
    arrivals = [Arrival(CHAT, FIRST, seq, t * 10**9) for seq, t in enumerate(at)]
    assert roam.silence(arrivals, 0) == 5
    assert roam.silence(arrivals, 6 * 10**9) == 3
    assert roam.silence([], 0) == 0


def test_silence_is_without_the_tunnel_but_with_what_comes_after_it() -> None:
    at = [0, 1, 7, 9, 10]
    arrivals = [Arrival(CHAT, FIRST, seq, t * 10**9) for seq, t in enumerate(at)]
    assert roam.silence(arrivals, 1 * 10**9, 5.0) == 2
    assert roam.silence(arrivals, 1 * 10**9, 4.5) == 2
    assert roam.silence(arrivals, 1 * 10**9, 3.5) == 2.5


def test_each_event_has_a_silence_of_its_own() -> None:
    at = [0, 1, 4, 5, 12, 13]
    arrivals = [Arrival(CHAT, FIRST, seq, t * 10**9) for seq, t in enumerate(at)]
    moments = (roam.Moment(1 * 10**9), roam.Moment(5 * 10**9, 6.0))
    assert structs.replace(told(arrivals), moments=moments).silences == [1, 3]
