"""Search as agents have it: over a session, on a real SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from server.config import Settings
from server.reindex import reindex
from server.service.search import EXCERPT, excerpt
from storage.doctor import Level, check
from storage.open import open_storage
from storage.words import query
from tests.server.conftest import Peer, open_site
from transport.uuid7 import uuid7


def told(found: Any) -> list[str]:
    return ["".join(hit["excerpt"]) for hit in found["hits"]]


async def test_an_agent_finds_messages_with_their_conversations(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    chat, other = uuid7(), uuid7()
    await visitor.send(chat, text="Where is my PARCEL?")
    await visitor.send(other, text="Nothing of that kind")
    await agent.send(chat, "note", text="parcels are late")
    found = await agent.ask("search", query="parc")
    note, message = found["hits"]
    assert told(found) == ["parcels are late", "Where is my PARCEL?"]
    assert message["excerpt"] == ["Where is my ", "PARC", "EL?"]
    assert note["excerpt"] == ["", "parc", "els are late"]
    assert (message["seq"], message["author"]) == (1, site.visitor.who)
    assert (note["seq"], note["author"], note["kind"]) == (2, site.agent.who, "note")
    assert note["at"] >= message["at"]
    [summary] = found["conversations"]
    assert summary == await agent.ask("summary", conversation=chat)
    assert UUID(bytes=message["conversation"]) == UUID(bytes=summary["id"]) == chat
    assert (found["visitors"], found["cursor"]) == ([], None)


async def test_edits_and_deletions_reach_the_index(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    chat = uuid7()
    await visitor.send(chat, text="blue mug")
    await visitor.send(chat, text="red mug")
    await visitor.send(chat, "edit", seq=1, text="green mug")
    assert told(await agent.ask("search", query="mug")) == ["red mug", "green mug"]
    assert told(await agent.ask("search", query="blue")) == []
    await agent.send(chat, "deletion", seq=2)
    await visitor.send(chat, "edit", seq=2, text="a red mug after all")
    assert told(await agent.ask("search", query="mug")) == ["green mug"]


async def test_visitors_are_found_and_lead_to_their_newest_conversation(site: Any) -> None:
    directory = site.parts.storage.directory
    record = await directory.get_visitor(site.visitor.id)
    await directory.put_visitor(replace(record, name="Inês Duarte", email="ines@example.com"))
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    assert (await agent.ask("search", query="ines"))["visitors"] == []  # said nothing so far
    old, new = uuid7(), uuid7()
    await visitor.send(old, text="Hello")
    await visitor.send(new, text="Hello again")
    [found] = (await agent.ask("search", query="INES dua"))["visitors"]
    assert UUID(bytes=found["conversation"]) == new
    assert found["name"] == ["", "Inês", " ", "Dua", "rte"]
    assert found["email"] == ["", "ines", "@example.com"]


async def test_pages_follow_each_other(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    chats = [uuid7(), uuid7()]
    for n in range(7):
        await visitor.send(chats[n % 2], text=f"parcel {n}")
    seen: list[str] = []
    cursor = None
    for size in (3, 3, 1):
        found = await agent.ask("search", query="parcel", cursor=cursor, limit=3)
        assert len(found["hits"]) == size
        seen += told(found)
        cursor = found["cursor"]
    assert cursor is None
    assert seen == [f"parcel {n}" for n in reversed(range(7))]


async def test_an_answer_fits_into_a_frame(site: Any) -> None:
    agent = await site.join(site.agent)
    visitors = [await site.add_visitor("shop") for _ in range(60)]
    for caller in visitors:
        peer = await site.join(caller)
        await peer.send(uuid7(), text="退" * 8_000)
    seen, cursor, pages = 0, None, 0
    while pages == 0 or cursor is not None:
        found = await agent.ask("search", query="退退", cursor=cursor, limit=100)
        assert len(found["hits"]) > 5
        assert all(len("".join(hit["excerpt"])) <= EXCERPT + 2 for hit in found["hits"])
        seen, cursor, pages = seen + len(found["hits"]), found["cursor"], pages + 1
    assert seen == 60
    assert pages > 1


async def test_who_may_not_and_what_does_not_fit(site: Any) -> None:
    visitor, agent = await site.join(site.visitor), await site.join(site.agent)
    await visitor.send(uuid7(), text="parcel")
    foreign = await site.join(await site.add_agent("other", "o@other.example"))
    assert await visitor.ask("search", query="parcel") == "forbidden"
    assert (await foreign.ask("search", query="parcel"))["hits"] == []
    for params in (
        {},
        {"query": "x" * 257},
        {"query": 7},
        {"query": "parcel", "cursor": "rubbish"},
        {"query": "parcel", "cursor": "9" * 30},
        {"query": "parcel", "limit": 0},
    ):
        assert await agent.ask("search", **params) == "invalid"
    for text in ("", "  ", '"', "*", "👍"):
        found = await agent.ask("search", query=text)
        assert found == {"hits": [], "visitors": [], "conversations": [], "cursor": None}
    assert (await agent.ask("search", query="parcel", cursor="9" * 19))["hits"] != []


async def test_a_store_without_an_index_refuses(settings: Settings) -> None:
    storage = open_storage(settings.database_url)
    storage.search = None
    async with open_site(settings, storage) as site:
        agent = await site.join(site.agent)
        assert await agent.ask("search", query="parcel") == "unavailable"
    await storage.close()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("parcel", ["", "parcel", ""]),
        ("no match", ["no match"]),
        ("", [""]),
        ("x" * 200, ["x" * EXCERPT + "…"]),
        ("word " * 40 + "my parcel", ["…" + "word " * 7 + "my ", "parcel", ""]),
        ("parcel " + "y" * 300, ["", "parcel", " " + "y" * (EXCERPT - 7) + "…"]),
    ],
)
def test_excerpts(text: str, pieces: list[str]) -> None:
    assert excerpt(query("parcel"), text) == pieces


def test_an_excerpt_of_a_script_without_spaces() -> None:
    pieces = excerpt(query("退货"), "中" * 100 + "退货" + "文" * 200)
    assert pieces == ["…" + "中" * 40, "退货", "文" * (EXCERPT - 42) + "…"]


async def _history(peer: Peer) -> UUID:
    chat = uuid7()
    await peer.send(chat, text="blue mug")
    await peer.send(chat, text="red mug")
    await peer.send(chat, "edit", seq=1, text="green mug")
    await peer.send(chat, "deletion", seq=2)
    await peer.send(chat, "edit", seq=2, text="deleted mug")
    return chat


@pytest.mark.parametrize("everything", [False, True])
async def test_what_is_older_than_the_index_is_indexed(
    settings: Settings, everything: bool
) -> None:
    async with open_site(settings) as site:
        visitor = await site.join(site.visitor)
        for _ in range(3):
            await _history(visitor)
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if not everything:  # as the migration leaves it
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO found_terms (found_terms) VALUES ('delete-all')")
            connection.execute("DELETE FROM found")
            connection.execute("INSERT INTO unindexed SELECT id FROM conversations")
        [finding] = [one for one in check(settings.database_url) if one.check == "search"]
        assert (finding.level, finding.says[:2]) == (Level.WARN, "3 ")
    storage = open_storage(settings.database_url)
    assert storage.search is not None
    shown: list[tuple[int, int]] = []
    done = await reindex(
        storage.log,
        storage.directory,
        storage.search,
        lambda *progress: shown.append(progress),
        everything=everything,
    )
    assert (done, shown[0], shown[-1]) == (3, (0, 3), (3, 3))
    hits = await storage.search.messages("shop", "mug")
    assert [hit.text for hit in hits] == ["green mug"] * 3
    await storage.close()
    [finding] = [one for one in check(settings.database_url) if one.check == "search"]
    assert finding.level is Level.OK
