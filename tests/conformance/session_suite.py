"""What every `Session` must do, whatever carries it: the invariants above transport/session.py.

A test module subclasses `SessionSuite` and gives it a fixture `pairs`: a function that makes an
async context manager of a `Pair`, both ends connected and running. The server's end is accepted
through the real stack where there is one. Nothing here looks at how fast anything is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from transport.driver import Driver
from transport.errors import CloseCode, LocalProtocolError, SessionClosed
from transport.session import CLOSE_LINGER, MAX_QUEUED, MAX_UNREAD, Session
from transport.shell import SLICE
from transport.wire import codec, varint
from transport.wire.codec import MAX_FRAME
from transport.wire.frames import (
    VERSION,
    Accepted,
    Call,
    Deliver,
    Drain,
    Frame,
    Hello,
    Send,
    Typing,
    Welcome,
)
from transport.wire.lane import WINDOW, Via

PATIENCE = 15.0
"""Seconds after which a test that waits has failed."""
BODY = codec.pack({"text": "hello"})


@dataclass
class Pair:
    """Both ends of one session; `client` is a Driver, so that tests can do what no peer should."""

    client: Driver
    server: Session


Maker = Callable[[], AbstractAsyncContextManager[Pair]]


def deliver(conversation: UUID, seq: int, text: str = "") -> Deliver:
    body = codec.pack({"text": text})
    return Deliver(conversation, 1, seq, "s:system", UUID(int=seq), "message", body, 0)


def send(conversation: UUID, number: int, text: str = "") -> Send:
    return Send(UUID(int=number), conversation, "message", codec.pack({"text": text}))


def of(flow: UUID, frames: Sequence[Frame]) -> list[Frame]:
    """Those of one conversation."""
    return [frame for frame in frames if getattr(frame, "conversation", None) == flow]


async def until_closed(session: Session) -> tuple[list[Frame], SessionClosed]:
    """Everything that was still to receive, and the end."""
    frames: list[Frame] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                frames.append(await session.receive())
            except SessionClosed as closed:
                return frames, closed


async def take(session: Session, count: int) -> list[Frame]:
    async with asyncio.timeout(PATIENCE):
        return [await session.receive() for _ in range(count)]


async def go_live(pair: Pair, heartbeat: int = 25_000) -> None:
    pair.client.send(Hello(VERSION, "token"))
    assert await take(pair.server, 1) == [Hello(VERSION, "token")]
    welcome = Welcome(VERSION, uuid4(), "v:1", 0, heartbeat)
    pair.server.send(welcome)
    assert (await take(pair.client, 1))[0] == welcome


async def raw(pair: Pair, data: bytes) -> None:
    """Send one frame's bytes past the client's own machine, which would not let them out."""
    carrier = pair.client._carrier
    if carrier.max_datagram is None:
        await carrier.send(Via.MESSAGE, data)
    else:
        await carrier.send(Via.STREAM, varint.encode(len(data)) + data)


class SessionSuite:
    """Subclass it; see the module's first lines."""

    @pytest.fixture
    def pairs(self) -> Maker:
        raise NotImplementedError

    @pytest.fixture
    def live(self, pairs: Maker) -> Maker:
        """Pairs past hello and welcome."""

        @asynccontextmanager
        async def make() -> AsyncIterator[Pair]:
            async with pairs() as pair:
                await go_live(pair)
                yield pair

        return make

    # Frames.

    async def test_frames_cross_in_both_directions(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            pair.client.send(send(conversation, 1, "hi"))
            assert await take(pair.server, 1) == [send(conversation, 1, "hi")]
            answers = [Accepted(UUID(int=1), conversation, 1, 1, 5), deliver(conversation, 1, "hi")]
            for answer in answers:
                pair.server.send(answer)
            assert await take(pair.client, 2) == answers

    async def test_first_commands_need_no_round_trip(self, pairs: Maker) -> None:
        async with pairs() as pair:
            first = [Hello(VERSION, "token"), send(uuid4(), 1), Call(1, "history")]
            for frame in first:
                pair.client.send(frame)
            got = await take(pair.server, 3)
            assert got[0] == first[0]
            assert sorted(map(codec.encode, got)) == sorted(map(codec.encode, first))

    async def test_order_within_a_flow_and_each_once(self, live: Maker) -> None:
        async with live() as pair:
            flows = [uuid4() for _ in range(7)]
            up = [send(flows[number % 7], number) for number in range(200)]
            down = [deliver(flows[seq % 7], seq) for seq in range(200)]
            for one, other in zip(up, down, strict=True):
                pair.client.send(one)
                pair.server.send(other)
            got_up, got_down = await asyncio.gather(take(pair.server, 200), take(pair.client, 200))
            for flow in flows:
                assert of(flow, got_up) == of(flow, up)
                assert of(flow, got_down) == of(flow, down)

    async def test_thousands_of_small_frames_both_ways(self, live: Maker) -> None:
        count, conversation = 3000, uuid4()

        async def echo(pair: Pair) -> None:
            for _ in range(count):
                frame = await pair.server.receive()
                assert isinstance(frame, Send)
                pair.server.send(Accepted(frame.client_id, conversation, 1, 1, 0))

        async with live() as pair, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(echo(pair))
            answers: list[int] = []
            sent = 0
            while len(answers) < count:
                if sent < count and sent - len(answers) < MAX_UNREAD // 2:
                    pair.client.send(send(conversation, sent))
                    sent += 1
                else:
                    answer = await pair.client.receive()
                    assert isinstance(answer, Accepted)
                    answers.append(answer.client_id.int)
            assert answers == list(range(count))

    async def test_frames_up_to_the_limit(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            room = MAX_FRAME - len(codec.encode(send(conversation, 1, "x" * 60_000))) + 60_000
            largest = send(conversation, 1, "x" * room)
            assert len(codec.encode(largest)) == MAX_FRAME
            pair.client.send(largest)
            pair.client.send(send(conversation, 2, "after"))
            assert await take(pair.server, 2) == [largest, send(conversation, 2, "after")]
            big = deliver(conversation, 1, "y" * 60_000)
            pair.server.send(big)
            assert await take(pair.client, 1) == [big]

    async def test_ephemeral_frames_arrive(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            async with asyncio.timeout(PATIENCE):
                waiting = asyncio.ensure_future(pair.server.receive())
                while not waiting.done():  # One datagram may be lost.
                    pair.client.send(Typing(conversation, True))
                    await asyncio.wait([waiting], timeout=0.05)
                assert await waiting == Typing(conversation, True)

    # Faults of this side.

    async def test_sending_what_the_state_forbids_is_our_error(self, pairs: Maker) -> None:
        async with pairs() as pair:
            with pytest.raises(LocalProtocolError):
                pair.client.send(send(uuid4(), 1))
            with pytest.raises(LocalProtocolError):
                pair.server.send(Drain(1))
            await go_live(pair)

    async def test_sending_too_large_a_frame_is_our_error(self, live: Maker) -> None:
        async with live() as pair:
            with pytest.raises(LocalProtocolError):
                pair.client.send(send(uuid4(), 1, "x" * MAX_FRAME))
            pair.client.send(send(uuid4(), 2))
            assert len(await take(pair.server, 1)) == 1

    # Faults of the peer.

    async def _is_closed_for(self, pair: Pair, code: CloseCode) -> None:
        (_, ours), (_, theirs) = await asyncio.gather(
            until_closed(pair.server), until_closed(pair.client)
        )
        assert (ours.code, ours.remote) == (code, False), ours
        assert (theirs.code, theirs.remote) == (code, True), theirs

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\xc1", id="broken MessagePack"),
            pytest.param(b"\x93\x02\xc4", id="cut MessagePack"),
            pytest.param(b"", id="nothing"),
            pytest.param(b"\x91\x63", id="unknown frame"),
            pytest.param(codec.encode(Drain(1)), id="a server's frame"),
        ],
    )
    async def test_bad_frame(self, live: Maker, data: bytes) -> None:
        async with live() as pair:
            await raw(pair, data)
            await self._is_closed_for(pair, CloseCode.PROTOCOL_ERROR)

    async def test_frame_before_hello(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await raw(pair, codec.encode(send(uuid4(), 1)))
            await self._is_closed_for(pair, CloseCode.PROTOCOL_ERROR)

    async def test_oversized_frame(self, live: Maker) -> None:
        async with live() as pair:
            await raw(pair, codec.encode(send(uuid4(), 1, "x" * 65_000)) + b"x" * 1000)
            await self._is_closed_for(pair, CloseCode.FRAME_TOO_LARGE)

    async def test_no_hello_in_time(self, pairs: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transport.wire.machine.HELLO_DEADLINE", 0.2)
        async with pairs() as pair:
            await self._is_closed_for(pair, CloseCode.HELLO_TIMEOUT)

    async def test_silent_peer(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await go_live(pair, heartbeat=80)
            # The client forgets to ping, and to mind the silence of the other side.
            pair.client._machine.heartbeat = 1000.0
            pair.client._alarm.cancel()
            await self._is_closed_for(pair, CloseCode.HEARTBEAT_TIMEOUT)

    async def test_pings_keep_an_idle_session(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await go_live(pair, heartbeat=60)
            await asyncio.sleep(0.5)
            assert not pair.server.closed
            assert not pair.client.closed

    # Bounds.

    async def test_slow_reader(self, live: Maker) -> None:
        """The client takes nothing; the transport fills, and the server lets go of it."""
        async with live() as pair:
            sent = 0
            while not pair.server.closed:
                pair.server.send(deliver(uuid4(), sent, "z" * 10_000))
                sent += 1
                if sent % 8 == 0:
                    await asyncio.sleep(0)
            with pytest.raises(SessionClosed) as caught:
                pair.server.send(deliver(uuid4(), sent))
            assert caught.value.code == CloseCode.SLOW_READER
            assert sent * 10_000 > MAX_QUEUED - 10_000
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await pair.server.wait_closed()
            _, closed = await until_closed(pair.client)
            assert closed.remote

    async def test_slow_reader_does_not_hold_up_its_server_for_long(self, live: Maker) -> None:
        async with live() as pair:
            for seq in range(50):
                pair.server.send(deliver(uuid4(), seq, "z" * 10_000))
            pair.server.close(CloseCode.GOING_AWAY)
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await pair.server.wait_closed()

    async def test_flooding(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            async with asyncio.timeout(PATIENCE):
                number = 0
                while not pair.client.closed:
                    for _ in range(32):
                        number += 1
                        pair.client.send(send(conversation, number))
                    await asyncio.sleep(0.005)
            frames, closed = await until_closed(pair.server)
            assert closed.code == CloseCode.FLOODING
            assert MAX_UNREAD < len(frames) <= MAX_UNREAD + WINDOW + SLICE
            assert [frame.client_id.int for frame in frames] == list(range(1, len(frames) + 1))

    # The end.

    async def test_client_leaves(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            pair.client.send(send(conversation, 1, "last words"))
            pair.client.close(CloseCode.NORMAL, "bye")
            frames, closed = await until_closed(pair.server)
            assert frames == [send(conversation, 1, "last words")]
            assert (closed.code, closed.reason, closed.remote) == (CloseCode.NORMAL, "bye", True)

    async def test_server_leaves(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            last = [deliver(conversation, seq) for seq in range(20)]
            for frame in last:
                pair.server.send(frame)
            pair.server.close(CloseCode.GOING_AWAY, "restart")
            frames, closed = await until_closed(pair.client)
            assert frames == last
            assert (closed.code, closed.reason) == (CloseCode.GOING_AWAY, "restart")

    async def test_what_was_sent_before_the_end_arrives(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            down = [deliver(conversation, seq, "z" * 8_000) for seq in range(60)]
            for frame in down:
                pair.server.send(frame)
            pair.server.close(CloseCode.GOING_AWAY, "restart")
            frames, closed = await until_closed(pair.client)
            assert closed.code == CloseCode.GOING_AWAY
            assert len(frames) == len(down)
            assert frames == down

    async def test_what_was_sent_before_leaving_arrives(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            up = [send(conversation, number, "z" * 8_000) for number in range(60)]
            for frame in up:
                pair.client.send(frame)
            pair.client.close(CloseCode.NORMAL)
            frames, closed = await until_closed(pair.server)
            assert closed.code == CloseCode.NORMAL
            assert frames == up

    async def test_server_refuses_before_welcome(self, pairs: Maker) -> None:
        async with pairs() as pair:
            pair.client.send(Hello(VERSION, "bad token"))
            await take(pair.server, 1)
            pair.server.close(CloseCode.UNAUTHENTICATED, "bad token")
            _, closed = await until_closed(pair.client)
            assert closed.code == CloseCode.UNAUTHENTICATED

    async def test_both_leave_at_once(self, live: Maker) -> None:
        async with live() as pair:
            pair.client.close(CloseCode.NORMAL)
            pair.server.close(CloseCode.GOING_AWAY)
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await asyncio.gather(pair.client.wait_closed(), pair.server.wait_closed())

    async def test_cut_is_seen_by_the_other_side(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await go_live(pair, heartbeat=100)
            pair.client.abort()
            _, closed = await until_closed(pair.server)
            # TCP says that it was cut; over QUIC there is only silence.
            assert closed.code in (CloseCode.ABNORMAL, CloseCode.HEARTBEAT_TIMEOUT)
            _, closed = await until_closed(pair.client)
            assert closed.code == CloseCode.ABNORMAL

    async def test_after_the_end_everything_raises_the_same(self, live: Maker) -> None:
        async with live() as pair:
            pair.server.close(CloseCode.OVERLOADED, "full")
            await until_closed(pair.client)
            for session in (pair.client, pair.server):
                assert session.closed
                session.close(CloseCode.NORMAL, "changes nothing")
                for _ in range(3):
                    with pytest.raises(SessionClosed) as caught:
                        session.send(deliver(uuid4(), 1))
                    assert caught.value.code == CloseCode.OVERLOADED
                    with pytest.raises(SessionClosed) as caught:
                        await session.receive()
                    assert caught.value.code == CloseCode.OVERLOADED

    async def test_wait_closed_returns_to_all_who_wait(self, live: Maker) -> None:
        async with live() as pair:
            waiting = [asyncio.ensure_future(pair.server.wait_closed()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            pair.client.close(CloseCode.NORMAL)
            async with asyncio.timeout(CLOSE_LINGER + 5):
                await asyncio.gather(*waiting[1:], pair.client.wait_closed())
                await pair.server.wait_closed()

    async def test_a_cancelled_receive_loses_nothing(self, live: Maker) -> None:
        async with live() as pair:
            conversation = uuid4()
            got: list[Frame] = []
            for number in range(20):
                waiting = asyncio.ensure_future(pair.server.receive())
                pair.client.send(send(conversation, number))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
                if not waiting.cancelled():
                    got.append(waiting.result())
            got += await take(pair.server, 20 - len(got))
            assert [frame.client_id.int for frame in got] == list(range(20))
