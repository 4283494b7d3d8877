"""The client against a small chat server on the real stack: it loses nothing, and knows when to
stop."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.transport.support.chat import Chat
from tests.transport.support.stack import ORIGIN, Stack, running
from transport.client import (
    Client,
    ClientStopped,
    Connected,
    DialError,
    Refusal,
    Settings,
    Trust,
    dial,
)
from transport.errors import CloseCode, LocalProtocolError
from transport.session import Session, TransportKind
from transport.wire.frames import (
    Accepted,
    Call,
    Deliver,
    Drain,
    Frame,
    Queued,
    Received,
    Refused,
    Send,
    Typing,
)

PATIENCE = 10.0
H1 = TransportKind.WEBSOCKET_H1


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what only politeness asks for."""
    monkeypatch.setattr("transport.client.backoff.FIRST", 0.02)
    monkeypatch.setattr("transport.client.follower.TICK", 0.05)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running(tmp_path) as stack:
        yield stack


@pytest.fixture
def chat(stack: Stack) -> Chat:
    chat = Chat()
    stack.serve = chat.serve  # type: ignore[method-assign]
    return chat


async def good(fresh: bool) -> str:
    return "good"


Open = Callable[..., Client]


@pytest.fixture
def client(stack: Stack, chat: Chat) -> Open:
    def make(token: Callable[..., object] = good, **hooks: object) -> Client:
        settings = Settings(url=stack.plain_url, transports=(H1,))
        return Client(settings, token, random=Random(1), **hooks)  # type: ignore[arg-type]

    return make


async def texts(entries: AsyncIterator[Deliver], count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        return [msgspec.msgpack.decode((await anext(entries)).body)["text"] for _ in range(count)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what it waits for is on the other side
            await asyncio.sleep(0.005)


def count(chat: Chat, kind: type[Frame]) -> int:
    return sum(isinstance(frame, kind) for frame in chat.seen)


async def test_sends_and_is_delivered(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    async with client() as one:
        entries = one.entries()
        accepted = await one.send(conversation, "message", {"text": "hello"})
        assert (accepted.epoch, accepted.seq) == (1, 1)
        assert await texts(entries, 1) == ["hello"]
        assert one.transport is H1
        assert accepted.client_id.version == 7


async def test_tells_when_it_connected(client: Open) -> None:
    told: list[Connected] = []
    async with client(on_connected=told.append) as one:
        await one.ready()
        await until(lambda: told)
    assert told[0].transport is H1
    assert told[0].started <= told[0].opened <= told[0].welcomed


async def test_resumes_after_a_cut(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    async with client() as one:
        entries = one.entries()
        await one.send(conversation, "message", {"text": "1"})
        assert await texts(entries, 1) == ["1"]
        for number in range(2, 8):
            one.cut()
            await until(lambda: not chat.sessions)
            chat.append(conversation, str(number))
            assert await texts(entries, 1) == [str(number)]
        assert [hello.resume[0].seq for hello in chat.hellos[1:]] == [1, 2, 3, 4, 5, 6]


async def test_what_was_not_accepted_is_sent_again(client: Open, chat: Chat) -> None:
    lost: list[Frame] = []

    def cut(session: Session, frame: Frame) -> bool:
        if len(lost) < 3 and isinstance(frame, Send):
            lost.append(frame)
            session.close(CloseCode.GOING_AWAY)
            return True
        return False

    chat.first = cut
    conversation = uuid4()
    async with client() as one:
        waiting = [one.send(conversation, "message", {"text": str(n)}) for n in range(20)]
        async with asyncio.timeout(PATIENCE):
            accepted = await asyncio.gather(*waiting)
        assert [answer.seq for answer in accepted] == list(range(1, 21))
        assert len(chat.logs[conversation]) == 20
        assert len(chat.hellos) == 4


async def test_an_accepted_that_was_lost_doubles_nothing(client: Open, chat: Chat) -> None:
    conversation, cut = uuid4(), []

    def append_and_die(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Send) and not cut:
            cut.append(frame)
            chat.append(conversation, "once", frame.client_id)
            session.abort()  # type: ignore[attr-defined]
            return True
        return False

    chat.first = append_and_die
    async with client() as one:
        entries = one.entries()
        answer = one.send(conversation, "message", {"text": "once"})
        async with asyncio.timeout(PATIENCE):
            assert (await answer).seq == 1
        await one.send(conversation, "message", {"text": "twice"})
        chat.append(conversation, "end")
        assert await texts(entries, 3) == ["once", "twice", "end"]
        assert [e.seq for e in chat.logs[conversation]] == [1, 2, 3]


async def test_what_is_queued_is_accepted_once_the_log_brings_it(client: Open, chat: Chat) -> None:
    queued: list[Send] = []

    def queue(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Send):
            queued.append(frame)
            session.send(Queued(frame.client_id, frame.conversation, 0))
        return isinstance(frame, Send)

    chat.first = queue
    conversation, heard = uuid4(), asyncio.Event()
    async with client(on_frame=lambda frame: heard.set()) as one, asyncio.timeout(PATIENCE):
        answers = [one.send(conversation, "message", {"text": str(n)}) for n in range(40)]
        await until(lambda: len(queued) == 40)
        await heard.wait()
        for frame in queued:
            chat.append(conversation, "ours", frame.client_id, author="v:1")
        assert [(await answer).seq for answer in answers] == list(range(1, 41))


async def test_final_refusal(client: Open, chat: Chat) -> None:
    def refuse(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Send):
            session.send(Refused("conflict", "another body", client_id=frame.client_id))
        return True

    chat.first = refuse
    async with client() as one:
        with pytest.raises(Refusal) as caught:
            await one.send(uuid4(), "message", {"text": "x"})
        assert caught.value.code == "conflict"


async def test_refusal_for_now(client: Open, chat: Chat) -> None:
    refused: list[Frame] = []

    def refuse(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Send) and len(refused) < 3:
            refused.append(frame)
            session.send(Refused("busy", "try later", 10, client_id=frame.client_id))
            return True
        return False

    chat.first = refuse
    async with client() as one, asyncio.timeout(PATIENCE):
        assert (await one.send(uuid4(), "message", {"text": "x"})).seq == 1
    assert len({frame.client_id for frame in refused if isinstance(frame, Send)}) == 1


async def test_calls(client: Open, chat: Chat) -> None:
    async with client() as one:
        with pytest.raises(Refusal, match="unknown_method"):
            await one.call("sing")
        conversation = uuid4()
        chat.append(conversation, "a")
        value = await one.call("history", {"conversation": conversation, "after": 0, "limit": 9})
        assert len(msgspec.msgpack.decode(value)["entries"]) == 1


async def test_a_call_outlives_its_session(client: Open, chat: Chat) -> None:
    asked: list[Frame] = []

    def die(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Call) and not asked:
            asked.append(frame)
            session.close(CloseCode.GOING_AWAY)
            return True
        return False

    chat.first = die
    async with client() as one, asyncio.timeout(PATIENCE):
        assert await one.call("history", {"conversation": uuid4(), "after": 0, "limit": 9})


async def test_new_token_when_the_old_one_is_refused(client: Open, chat: Chat) -> None:
    asked: list[bool] = []

    async def token(fresh: bool) -> str:
        asked.append(fresh)
        return "good" if fresh else "stale"

    async with client(token) as one, asyncio.timeout(PATIENCE):
        await one.ready()
    assert asked == [False, True]


async def test_gives_up_when_no_token_will_do(client: Open, chat: Chat) -> None:
    chat.tokens.clear()
    async with client() as one, asyncio.timeout(PATIENCE):
        with pytest.raises(ClientStopped) as caught:
            await one.ready()
    assert caught.value.code == CloseCode.UNAUTHENTICATED
    assert len(chat.hellos) == 4


async def test_stops_when_told_and_tells_everybody(client: Open, chat: Chat) -> None:
    def stop(session: Session, frame: Frame) -> bool:
        session.close(CloseCode.FORBIDDEN, "wrong shop")
        return True

    chat.first = stop
    async with client() as one, asyncio.timeout(PATIENCE):
        entries = one.entries()
        with pytest.raises(ClientStopped, match="wrong shop"):
            await one.send(uuid4(), "message", {"text": "x"})
        with pytest.raises(ClientStopped):
            await anext(entries)
        with pytest.raises(ClientStopped):
            one.send(uuid4(), "message", {"text": "x"})
        with pytest.raises(ClientStopped):
            await one.call("history")
    assert len(chat.hellos) == 1


async def test_drain_makes_before_it_breaks(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    async with client() as one:
        entries = one.entries()
        await one.send(conversation, "message", {"text": "0"})
        old = chat.sessions[0]
        old.send(Drain(40))
        numbers = 1
        while old in chat.sessions:
            chat.append(conversation, str(numbers))
            numbers += 1
            await asyncio.sleep(0.002)
        assert chat.sessions, "the next session was not there before this one went"
        assert await texts(entries, numbers) == [str(number) for number in range(numbers)]
        assert (await one.send(conversation, "message", {"text": "x"})).seq == numbers + 1


async def test_a_session_that_was_left_still_answers(client: Open, chat: Chat) -> None:
    """What went out just before a move need not wait for the next session's answer."""
    conversation = uuid4()
    held: list[tuple[Session, Send]] = []

    def hold(session: Session, frame: Frame) -> bool:
        if isinstance(frame, Send):
            held.append((session, frame))
        return isinstance(frame, Send)

    chat.first = hold
    async with client() as one:
        await one.ready()
        await until(lambda: chat.sessions)
        sent = one.send(conversation, "message", {"text": "0"})
        await until(lambda: held)
        old, send = held[0]
        old.send(Drain(1))
        await until(lambda: len(held) == 2)
        old.send(Accepted(send.client_id, conversation, 1, 1, 0))
        async with asyncio.timeout(PATIENCE):
            assert (await sent).seq == 1
        await until(lambda: old not in chat.sessions)


async def test_fetches_what_lies_in_a_gap(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    async with client() as one:
        entries = one.entries()
        await one.send(conversation, "message", {"text": "0"})
        connected, chat.sessions[:] = list(chat.sessions), []
        for number in range(1, 251):
            chat.append(conversation, str(number))
        chat.sessions[:] = connected
        chat.append(conversation, "251")
        assert await texts(entries, 252) == [str(number) for number in range(252)]


@pytest.mark.parametrize("epoch", [1, 2])
async def test_fetches_what_resume_does_not_bring(client: Open, chat: Chat, epoch: int) -> None:
    """Too many missed: the rest is fetched. Another epoch: everything is."""
    conversation = uuid4()
    async with client() as one:
        entries = one.entries()
        await one.send(conversation, "message", {"text": "0"})
        assert await texts(entries, 1) == ["0"]
        one.cut()
        await until(lambda: not chat.sessions)
        chat.replay = 2
        if epoch == 2:
            chat.epoch = 2
            chat.logs.clear()
            chat.append(conversation, "0")
        for number in range(1, 8):
            chat.append(conversation, str(number))
        expected = [str(number) for number in range(2 - epoch, 8)]
        assert await texts(entries, len(expected)) == expected


async def test_follows_what_a_former_run_held(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    for number in range(1, 6):
        chat.append(conversation, str(number))
    one = client()
    one.follow(conversation, 1, 2)
    async with one:
        assert await texts(one.entries(), 3) == ["3", "4", "5"]


async def test_acknowledges_once_for_many(client: Open, chat: Chat) -> None:
    conversation = uuid4()
    async with client() as one:
        await one.ready()
        await until(lambda: chat.sessions)
        for number in range(30):
            chat.append(conversation, str(number))
        await until(lambda: count(chat, Received))
        assert Received(conversation, 30) in chat.seen
        assert count(chat, Received) <= 2


async def test_hands_on_what_it_does_not_know_itself(client: Open, chat: Chat) -> None:
    got: list[Frame] = []
    conversation = uuid4()
    async with client(on_frame=got.append) as one:
        await one.ready()
        await until(lambda: chat.sessions)
        chat.first = lambda session, frame: isinstance(frame, Typing)
        assert one.tell(Typing(conversation, True))
        chat.sessions[0].send(Typing(conversation, False, "a:1"))
        await until(lambda: got and count(chat, Typing))
        assert got == [Typing(conversation, False, "a:1")]


async def test_too_large_is_said_at_once(client: Open) -> None:
    async with client() as one:
        with pytest.raises(LocalProtocolError):
            one.send(uuid4(), "message", {"text": "x" * 70_000})


async def test_leaving_ends_everything(client: Open, chat: Chat) -> None:
    chat.first = lambda session, frame: True
    async with client() as one:
        waiting = one.send(uuid4(), "message", {"text": "x"})
        await until(lambda: count(chat, Send))
    with pytest.raises(ClientStopped):
        await waiting
    await until(lambda: not chat.sessions)


async def test_what_the_block_raises_comes_out_as_it_is(client: Open, stack: Stack) -> None:
    with pytest.raises(ZeroDivisionError):
        async with client():
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        async with dial(stack.plain_url, H1):
            raise ZeroDivisionError


async def test_cancelled_it_leaves_nothing_behind(client: Open, chat: Chat) -> None:
    before = asyncio.all_tasks()
    inside = asyncio.Event()

    async def work() -> None:
        async with client() as one:
            await one.ready()
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not chat.sessions)
    await until(lambda: asyncio.all_tasks() <= before)


async def test_comes_to_a_server_that_is_not_there_yet(tmp_path: Path) -> None:
    async with running(tmp_path) as stack:
        url = stack.plain_url
    settings = Settings(url=url, transports=(H1,))
    async with Client(settings, good) as one:
        await until(lambda: one.last_error)
        assert isinstance(one.last_error, DialError)
        assert one.transport is None
        assert not one.tell(Typing(UUID(int=1), True))


async def test_takes_the_next_transport(stack: Stack, chat: Chat) -> None:
    """The first of the list is one that this client does not speak."""
    settings = Settings(url=stack.plain_url, transports=(TransportKind.WEBSOCKET_H2, H1))
    async with Client(settings, good) as one, asyncio.timeout(PATIENCE):
        await one.ready()
        assert one.transport is H1


async def test_forbidden_origin_stops_it(stack: Stack, chat: Chat) -> None:
    settings = Settings(url=stack.plain_url, transports=(H1,), origin="https://evil.example")
    async with Client(settings, good) as one, asyncio.timeout(PATIENCE):
        with pytest.raises(ClientStopped) as caught:
            await one.ready()
    assert caught.value.code == CloseCode.FORBIDDEN


@pytest.mark.parametrize("kind", [TransportKind.QUIC, TransportKind.WEBTRANSPORT])
async def test_quic_wins_where_udp_gets_through(
    stack: Stack, chat: Chat, kind: TransportKind
) -> None:
    conversation = uuid4()
    settings = Settings(url=stack.url, transports=(kind, H1), trust=stack.trust, head_start=5.0)
    async with Client(settings, good) as one, asyncio.timeout(PATIENCE):
        entries = one.entries()
        for number in range(5):
            await one.send(conversation, "message", {"text": str(number)})
            one.cut()
            await one.send(conversation, "message", {"text": f"{number} again"})
        got = await texts(entries, 10)
        assert got == [f"{n}{again}" for n in range(5) for again in ("", " again")]
        assert one.transport is kind


async def test_websocket_wins_where_udp_does_not(stack: Stack, chat: Chat) -> None:
    """A relay in front of the server that has TCP only, with a hole where UDP should be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        tasks: set[asyncio.Task[None]] = set()

        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65_536):
                writer.write(data)
            writer.close()

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", stack.port)
            for pair in ((reader, back), (there, writer)):
                tasks.add(asyncio.ensure_future(pump(*pair)))

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        hole.bind(("127.0.0.1", port))
        settings = Settings(
            url=f"https://127.0.0.1:{port}/v1/live", trust=stack.trust, head_start=0.05
        )
        async with Client(settings, good) as one, asyncio.timeout(PATIENCE):
            assert (await one.send(uuid4(), "message", {"text": "hello"})).seq == 1
            assert one.transport is H1
        server.close()
        await asyncio.wait(tasks, timeout=5)


class TestTrust:
    """Over TCP; QUIC has the same in test_sessions_quic."""

    @asynccontextmanager
    async def dialled(self, stack: Stack, trust: Trust) -> AsyncIterator[Session]:
        async with dial(stack.url, H1, trust=trust, origin=ORIGIN) as session:
            yield session

    async def test_by_hash(self, stack: Stack) -> None:
        async with self.dialled(stack, stack.trust) as session:
            assert session.info.secure

    async def test_by_another_hash(self, stack: Stack) -> None:
        other = base64.b64encode(bytes(32)).decode()
        with pytest.raises(DialError, match="hash"):
            async with self.dialled(stack, Trust(certificate_hashes=(other,))):
                pass

    async def test_by_the_system(self, stack: Stack) -> None:
        with pytest.raises(DialError, match="certificate"):
            async with self.dialled(stack, Trust()):
                pass

    async def test_by_a_file(self, stack: Stack, tmp_path: Path) -> None:
        async with self.dialled(stack, Trust(ca_file=tmp_path / "current.pem")) as session:
            assert session.info.secure

    async def test_insecure(self, stack: Stack) -> None:
        async with self.dialled(stack, Trust(insecure=True)) as session:
            assert session.info.secure


@pytest.mark.parametrize("url", ["ftp://localhost/", "localhost:8443", "https://"])
async def test_what_is_no_url(url: str) -> None:
    with pytest.raises(DialError, match="https://host:port/v1/live"):
        async with dial(url, H1):
            pass
