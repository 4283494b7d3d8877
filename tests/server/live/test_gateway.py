"""Sessions over the in-memory transport against the whole server on a real SQLite file."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from server.domain.people import Caller, Role
from server.live import gateway
from transport.errors import CloseCode
from transport.memory import Network
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import (
    VERSION,
    Accepted,
    Close,
    Deliver,
    Position,
    Presence,
    Read,
    Received,
    Refused,
    Send,
    Typing,
    Welcome,
)


def body(entry: Deliver) -> Any:
    return msgspec.msgpack.decode(entry.body)


async def test_a_visitor_writes_and_an_agent_answers(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    chat = uuid7()
    accepted = await visitor.send(chat, text="  hello ")
    assert (accepted.epoch, accepted.seq) == (1, 1)
    got = await agent.until(Deliver)
    assert (got.conversation, got.seq, got.author) == (chat, 1, site.visitor.who)
    assert body(got) == {"text": "hello"}
    await agent.send(chat, text="hi")
    [first, second] = [
        e for e in (*visitor.seen, *await visitor.deliveries(1)) if type(e) is Deliver
    ]
    assert (first.seq, second.seq, second.author) == (1, 2, site.agent.who)


async def test_welcome_says_who_and_where_one_is(site: Any) -> None:
    visitor = await site.join(site.visitor)
    welcome: Welcome = visitor.welcome
    assert (welcome.version, welcome.me, welcome.heartbeat) == (VERSION, site.visitor.who, 25_000)
    state = msgspec.msgpack.decode(welcome.state)
    assert state["shop"] == {"id": "shop", "name": "A Shop", "settings": {}}
    assert state["agents"] == [{"id": site.agent.who, "name": "ann"}]
    assert state["conversations"] == []
    agent = await site.join(site.agent)
    state = msgspec.msgpack.decode(agent.welcome.state)
    assert state["agents"][0]["email"] == "ann@shop.example"
    assert {"who": site.visitor.who, "state": "online", "detail": {"transport": "memory"}} in state[
        "people"
    ]


async def test_commands_sent_before_the_welcome_are_carried_out(site: Any) -> None:
    chat = uuid7()
    peer = await site.greet(site.token(site.visitor))
    client_id = peer.post(chat, text="early")
    await peer.until(Welcome)
    answer = await peer.answer()
    assert isinstance(answer, Accepted)
    assert answer.client_id == client_id


@pytest.mark.parametrize("method", ["send", "close"])
async def test_a_frame_before_hello(site: Any, method: str) -> None:
    peer = await site.dial()
    if method == "close":
        peer.session.send(Close(CloseCode.NORMAL))
        await peer.session.wait_closed()
        return
    # Our own machine refuses to send it, so it is written past it, as a broken client would.
    peer.session._machine.state = peer.session._machine.state.JOINING
    peer.post(uuid7(), text="me first")
    assert await peer.closed() == CloseCode.PROTOCOL_ERROR


async def test_bad_tokens(site: Any) -> None:
    good = site.token(site.visitor)
    head, claims, _ = good.split(".")
    for bad in (
        "",
        "rubbish",
        "a.b.c",
        f"{head}.{claims}.",
        good[:-6] + "AAAAAA",
        good + "x" * 5000,
    ):
        assert await (await site.greet(bad)).closed() == CloseCode.UNAUTHENTICATED, bad
    unsigned = "eyJhbGciOiJub25lIn0." + claims + "."
    assert await (await site.greet(unsigned)).closed() == CloseCode.UNAUTHENTICATED


async def test_an_expired_token(site: Any) -> None:
    peer = await site.greet(site.token(site.visitor, lifetime=-1))
    assert await peer.closed() == CloseCode.TOKEN_EXPIRED


async def test_an_agent_who_may_not_any_more(site: Any) -> None:
    directory = site.parts.storage.directory
    record = await directory.get_agent(site.agent.id)
    await directory.put_agent(msgspec.structs.replace(record, password_hash="changed"))
    assert await (await site.greet(site.token(site.agent))).closed() == CloseCode.UNAUTHENTICATED
    await directory.put_agent(msgspec.structs.replace(record, active=False))
    assert await (await site.greet(site.token(site.agent))).closed() == CloseCode.UNAUTHENTICATED


async def test_people_who_are_not_there(site: Any) -> None:
    """As after the database was replaced and the secret was kept."""
    for role in Role:
        for id, shop in ((uuid7(), "shop"), (getattr(site, role.name.lower()).id, "other")):
            peer = await site.greet(site.token(Caller(role, id, shop)))
            assert await peer.closed() == CloseCode.UNAUTHENTICATED


async def test_origins(site: Any) -> None:
    await site.join(site.visitor, origin="https://shop.example")
    for caller, origin in (
        (site.visitor, "https://other.example"),
        (site.agent, "https://shop.example"),
        (site.visitor, "null"),
    ):
        peer = await site.greet(site.token(caller), origin=origin)
        assert await peer.closed() == CloseCode.FORBIDDEN


async def test_versions_and_positions(site: Any) -> None:
    token = site.token(site.visitor)
    assert await (await site.greet(token, version=2)).closed() == CloseCode.UNSUPPORTED_VERSION
    many = tuple(Position(uuid7(), 0, 0) for _ in range(65))
    assert await (await site.greet(token, many)).closed() == CloseCode.PROTOCOL_ERROR
    await site.join(site.visitor, many[:64])


async def test_a_resend_is_answered_by_the_first_accepted(site: Any) -> None:
    visitor, chat, id = await site.join(site.visitor), uuid7(), uuid7()
    first = await visitor.send(chat, client_id=id, text="once")
    assert await visitor.send(chat, client_id=id, text=" once ") == first
    again = await site.join(site.visitor)
    assert await again.send(chat, client_id=id, text="once") == first
    history = await again.ask("history", conversation=chat)
    assert (history["head"], len(history["entries"])) == (1, 1)


async def test_the_same_id_with_another_body_is_a_conflict(site: Any) -> None:
    visitor, chat, id = await site.join(site.visitor), uuid7(), uuid7()
    await visitor.send(chat, client_id=id, text="one")
    visitor.post(chat, client_id=id, text="other")
    answer = await visitor.answer()
    assert isinstance(answer, Refused)
    assert (answer.code, answer.client_id, answer.retry_after) == ("conflict", id, None)


async def test_what_does_not_fit_is_refused(site: Any) -> None:
    visitor, agent, chat = await site.join(site.visitor), await site.join(site.agent), uuid7()
    await visitor.send(chat, text="hello")
    for peer, kind, content, code in (
        (visitor, "poke", {}, "unknown_kind"),
        (visitor, "hidden", {}, "unknown_kind"),
        (visitor, "message", {"text": " "}, "invalid"),
        (visitor, "message", {"text": "x" * 8001}, "too_large"),
        (visitor, "note", {"text": "x"}, "forbidden"),
        (visitor, "status", {"status": "open"}, "forbidden"),
        (visitor, "read", {"seq": 1}, "invalid"),
        (visitor, "edit", {"seq": 9, "text": "x"}, "not_found"),
        (agent, "edit", {"seq": 1, "text": "x"}, "forbidden"),
        (agent, "assignment", {"agent": f"a:{uuid7()}"}, "not_found"),
        (agent, "rating", {"score": 5}, "forbidden"),
    ):
        peer.post(chat, kind, **content)
        assert await peer.refusal() == code, (kind, content)
    visitor.session.send(Send(uuid7(), chat, "message", pack(["no map"])))
    assert await visitor.refusal() == "invalid"


async def test_only_a_visitors_message_creates_a_conversation(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    visitor.post(uuid7(), "rating", score=5)
    assert await visitor.refusal() == "not_found"
    agent.post(uuid7(), text="out of the blue")
    assert await agent.refusal() == "not_found"


async def test_other_peoples_conversations(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    await visitor.send(chat, text="private")
    stranger = await site.join(await site.add_visitor("shop"))
    foreign = await site.join(await site.add_agent("other", "bob@other.example"))
    for peer in (stranger, foreign):
        peer.post(chat, text="let me in")
        assert await peer.refusal() == "forbidden"
        assert await peer.ask("history", conversation=chat) == "forbidden"
        assert await peer.ask("summary", conversation=chat) == "forbidden"
        peer.session.send(Typing(chat, True))
        peer.session.send(Received(chat, 1))
        peer.session.send(Read(chat, 1))
    agent = await site.join(site.agent)
    assert (await foreign.ask("inbox"))["conversations"] == []
    again = await site.join(stranger_of(stranger, site), (Position(chat, 1, 0),))
    [resumed] = again.welcome.resumed
    assert (resumed.recovered, resumed.epoch, resumed.head) == (False, 0, 0)
    await agent.send(chat, text="still two of us")
    seen = [type(f) for f in (*visitor.seen, *(await visitor.deliveries(1)))]
    assert Typing not in seen
    assert Received not in seen


def stranger_of(peer: Any, site: Any) -> Caller:
    return Caller(Role.VISITOR, UUID(peer.welcome.me[2:]), "shop")


async def test_a_note_reaches_a_visitor_as_hidden_only(site: Any) -> None:
    visitor, agent, chat = await site.join(site.visitor), await site.join(site.agent), uuid7()
    await visitor.send(chat, text="hello")
    await agent.send(chat, "note", text="a regular, be nice")
    await agent.send(chat, text="hi")
    live = [e for e in visitor.seen if isinstance(e, Deliver)] + await visitor.deliveries(2)
    replayed = await site.join(site.visitor, (Position(chat, 1, 1),))
    caught_up = await replayed.deliveries(2)
    page = (await visitor.ask("history", conversation=chat))["entries"]
    for kind, content in (
        (live[1].kind, live[1].body),
        (caught_up[0].kind, caught_up[0].body),
        (page[1][5], pack(page[1][6])),
    ):
        assert (kind, bytes(content)) == ("hidden", b"\x80")
    assert (await visitor.ask("summary", conversation=chat))["last"]["text"] == "hi"
    theirs = (await agent.ask("history", conversation=chat))["entries"]
    assert theirs[1][5:7] == ["note", {"text": "a regular, be nice"}]


async def test_too_many_sends_are_refused_and_nothing_is_lost(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    ids = [visitor.post(chat, text=f"{n}") for n in range(30)]
    answers = [await visitor.answer() for _ in ids]
    refused = [a for a in answers if isinstance(a, Refused)]
    assert 8 <= len(refused) <= 10
    assert {a.code for a in refused} == {"rate_limited"}
    assert all(a.retry_after and 0 < a.retry_after <= 2_000 for a in refused)
    assert {a.client_id for a in answers} == set(ids)
    head = (await visitor.ask("history", conversation=chat))["head"]
    assert head == len(ids) - len(refused)


async def test_a_refusal_does_not_change_the_order(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    ids = [visitor.post(chat, text=f"{n}") for n in range(25)]
    refused = [a.client_id for a in [await visitor.answer() for _ in ids] if isinstance(a, Refused)]
    assert refused == ids[-len(refused) :]
    await asyncio.sleep(0.5)  # The rate would allow a few now, but not before the refused ones.
    late = visitor.post(chat, text="late")
    answer = await visitor.answer()
    assert (answer.client_id, answer.code) == (late, "rate_limited")


async def test_too_many_calls_are_refused_and_signals_dropped(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    await visitor.send(chat, text="hello")
    answers = [await visitor.ask("summary", conversation=chat) for _ in range(45)]
    assert answers.count("rate_limited") >= 1
    for _ in range(60):
        visitor.session.send(Typing(chat, True))
    await asyncio.sleep(0.05)
    await visitor.send(chat, text="still here")


async def test_calls(site: Any) -> None:
    visitor, agent, chat = await site.join(site.visitor), await site.join(site.agent), uuid7()
    for n in range(1, 8):
        await visitor.send(chat, text=f"message {n}")
    page = await agent.ask("history", conversation=chat, limit=3)
    assert [entry[2] for entry in page["entries"]] == [5, 6, 7]
    assert page["more"] is True
    page = await agent.ask("history", conversation=chat, before=3)
    assert ([entry[2] for entry in page["entries"]], page["more"]) == ([1, 2], False)
    page = await agent.ask("history", conversation=chat, after=2, limit=2)
    assert ([entry[2] for entry in page["entries"]], page["more"]) == ([3, 4], True)
    assert await agent.ask("dance") == "unknown_method"
    assert await agent.ask("history", conversation="nonsense") == "invalid"
    assert await agent.ask("history", conversation=chat, limit=-1) == "invalid"
    assert await agent.ask("history", conversation=uuid7()) == "not_found"
    assert await visitor.ask("inbox") == "forbidden"
    assert await agent.ask("inbox", cursor="rubbish") == "invalid"


async def test_a_page_of_long_texts_fits_into_a_frame(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    for n in range(5):
        await visitor.send(chat, text=f"{n}" + "語" * 7_999)
    page = await visitor.ask("history", conversation=chat)
    assert (page["entries"][-1][2], page["more"]) == (5, True)
    assert len(page["entries"]) == 2
    page = await visitor.ask("history", conversation=chat, after=0)
    assert ([entry[2] for entry in page["entries"]], page["more"]) == ([1, 2], True)


async def test_the_inbox(site: Any) -> None:
    agent = await site.join(site.agent)
    chats = []
    for n in range(3):
        visitor = await site.join(await site.add_visitor("shop"))
        chats.append(uuid7())
        await visitor.send(chats[-1], text=f"hello {n}")
        await asyncio.sleep(0.002)  # So that their times differ.
    await agent.send(chats[0], "status", status="closed")
    inbox = await agent.ask("inbox", status="open", limit=1)
    [newest] = inbox["conversations"]
    assert (UUID(bytes=newest["id"]), newest["unread"], newest["head"]) == (chats[2], 1, 1)
    assert newest["last"]["text"] == "hello 2"
    assert newest["presence"] == {"state": "online", "transport": "memory"}
    inbox = await agent.ask("inbox", status="open", limit=1, cursor=inbox["cursor"])
    assert UUID(bytes=inbox["conversations"][0]["id"]) == chats[1]
    assert inbox["cursor"] is None
    closed = await agent.ask("inbox", status="closed")
    assert [UUID(bytes=c["id"]) for c in closed["conversations"]] == [chats[0]]


async def test_read_marks_are_entries_and_do_not_answer_each_other(site: Any) -> None:
    visitor, agent, chat = await site.join(site.visitor), await site.join(site.agent), uuid7()
    await visitor.send(chat, text="hello")
    await agent.until(Deliver)
    agent.session.send(Read(chat, 1))
    mark = (
        (await visitor.deliveries(2))[-1]
        if not any(isinstance(f, Deliver) for f in visitor.seen)
        else await visitor.until(Deliver)
    )
    assert (mark.kind, mark.author, body(mark)) == ("read", site.agent.who, {"seq": 1})
    visitor.session.send(Read(chat, 2))  # Covers nobody's message.
    agent.session.send(Read(chat, 1))  # Again.
    assert (await visitor.ask("summary", conversation=chat))["reads"] == {site.agent.who: 1}
    assert (await agent.ask("summary", conversation=chat))["head"] == 2


async def test_typing_and_receipts_reach_the_other_side(site: Any) -> None:
    visitor, agent, chat = await site.join(site.visitor), await site.join(site.agent), uuid7()
    await visitor.send(chat, text="hello")
    visitor.session.send(Typing(chat, True))
    assert await agent.until(Typing) == Typing(chat, True, site.visitor.who)
    agent.session.send(Received(chat, 1, "v:forged"))
    assert await visitor.until(Received) == Received(chat, 1, site.agent.who)
    assert not any(isinstance(frame, Typing) for frame in visitor.seen)


async def test_presence_comes_and_goes(site: Any) -> None:
    agent = await site.join(site.agent)
    visitor = await site.join(site.visitor)
    assert (await visitor.until(Presence)).who == site.agent.who
    while (seen := await agent.until(Presence)).who != site.visitor.who:
        pass
    assert (seen.state, msgspec.msgpack.decode(seen.detail)) == ("online", {"transport": "memory"})
    second = await site.join(site.visitor)
    visitor.session.close(CloseCode.NORMAL)
    while (seen := await agent.until(Presence)).state == "online" and not second.session.closed:
        second.session.close(CloseCode.NORMAL)
    while seen.state == "online":
        seen = await agent.until(Presence)
    assert seen == Presence(site.visitor.who, "offline", pack({"transport": None}))


async def test_resume_is_exact_while_others_write(site: Any) -> None:
    """Whenever somebody resumes, from wherever: every later entry once, in order."""
    writer, chat = await site.join(site.visitor), uuid7()
    total = 20
    for n in range(5):
        await writer.send(chat, text=f"{n}")

    async def resume_from(seq: int) -> list[int]:
        peer = await site.join(
            site.agent, (Position(chat, 1, seq),), network=Network(max_datagram=None)
        )
        assert peer.welcome.resumed[0].recovered
        return [entry.seq for entry in await peer.deliveries(total - seq)]

    async with asyncio.TaskGroup() as tasks:
        readers = []
        for n in range(5, total):
            writer.post(chat, text=f"{n}")
            readers.append(tasks.create_task(resume_from(n % 5)))
            await asyncio.sleep(0)
        for _ in range(5, total):
            assert isinstance(await writer.answer(), Accepted)
    for n, reader in zip(range(5, total), readers, strict=True):
        assert reader.result() == list(range(n % 5 + 1, total + 1))


async def test_what_cannot_be_resumed(site: Any) -> None:
    visitor, chat, unheard = await site.join(site.visitor), uuid7(), uuid7()
    for n in range(3):
        await visitor.send(chat, text=f"{n}")
    for position, recovered in (
        (Position(chat, 1, 3), True),
        (Position(chat, 1, 9), False),
        (Position(chat, 2, 1), False),
        (Position(chat, 0, 0), True),
        (Position(chat, 0, 2), False),
        (Position(unheard, 0, 0), True),
        (Position(unheard, 1, 4), False),
    ):
        peer = await site.join(site.visitor, (position,))
        assert peer.welcome.resumed[0].recovered is recovered, position


async def test_more_than_a_resume_may_replay(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.service import history

    visitor, chat = await site.join(site.visitor), uuid7()
    for n in range(4):
        await visitor.send(chat, text=f"{n}")
    monkeypatch.setattr(history, "MAX_REPLAY", 3)
    assert not (await site.join(site.visitor, (Position(chat, 0, 0),))).welcome.resumed[0].recovered
    assert (await site.join(site.visitor, (Position(chat, 1, 1),))).welcome.resumed[0].recovered
    monkeypatch.setattr(history, "REPLAY_BYTES", 400)
    assert not (await site.join(site.visitor, (Position(chat, 1, 1),))).welcome.resumed[0].recovered


async def test_sessions_are_limited(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    admission = site.parts.gateway._admission
    monkeypatch.setattr(admission, "_most_per_address", 1)
    first = await site.join(site.visitor)
    assert await (await site.dial()).closed() == CloseCode.OVERLOADED
    first.session.close(CloseCode.NORMAL)
    await first.session.wait_closed()
    await asyncio.sleep(0.02)
    await site.join(site.visitor)


async def test_drain_asks_then_closes(site: Any) -> None:
    moves, stays = await site.join(site.visitor), await site.join(site.agent)
    waiting = await site.dial()

    async def move() -> None:
        drain = await moves.until(gateway.Drain)
        assert 0 < drain.deadline <= 300
        moves.session.close(CloseCode.NORMAL)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(move())
        started = asyncio.get_running_loop().time()
        await site.parts.gateway.drain(0.3)
        assert asyncio.get_running_loop().time() - started < 2.0
    assert await stays.closed() == CloseCode.GOING_AWAY
    assert any(isinstance(frame, gateway.Drain) for frame in stays.seen)
    assert await waiting.closed() == CloseCode.GOING_AWAY
    assert await (await site.dial()).closed() == CloseCode.GOING_AWAY
    assert site.parts.gateway._admission.sessions == 0


async def test_asked_to_begin_anew_once_and_let_in_again(site: Any) -> None:
    peer = await site.join(site.visitor)
    site.parts.gateway.move(4.0)
    site.parts.gateway.move(4.0)
    drain = await peer.until(gateway.Drain)
    assert 0 < drain.deadline <= 4_000
    chat = uuid7()
    await peer.send(chat, text="still here")
    again = await site.join(site.visitor, (Position(chat, 0, 0),))
    [entry] = await again.deliveries(1)
    assert entry.seq == 1
    assert [type(frame) for frame in (*peer.seen, *again.seen)].count(gateway.Drain) == 1
