"""The contract of "One log per conversation", as a machine that tries what comes to its mind.

Hypothesis drives a store with appends, resends, conflicts, reads and reopenings, and compares
every answer with a dictionary of lists.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from bench.peers.postgres import Cluster
from storage.base import Appended, Conflict, Draft, Entry, Head, MessageLog
from storage.entries import place
from storage.memory import MemoryLog
from storage.open import open_storage
from tests.support.postgres import TEMPLATE, fresh_name

CONVERSATIONS = [UUID(int=n) for n in (0, 1, 2**128 - 1)]

conversations = st.sampled_from(CONVERSATIONS)
drafts = st.builds(
    Draft,
    conversation=conversations,
    author=st.sampled_from(["visitor:1", "agent:1", "ä" * 64]),
    client_id=st.uuids(),
    kind=st.sampled_from(["message", "note"]),
    body=st.binary(max_size=40),
    at=st.integers(0, 2**63 - 1),
)
positions = st.integers(0, 40)
limits = st.integers(1, 12)


class OneLog(RuleBasedStateMachine):
    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[UUID, list[Entry]] = {id: [] for id in CONVERSATIONS}

    def open(self) -> MessageLog:
        raise NotImplementedError

    def reopen(self) -> None:
        """A store that forgets at its end has nothing to reopen."""

    @initialize()
    def start(self) -> None:
        self.log = self.open()

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.runner.run(self.log.close())
        self.runner.close()

    # what the model expects

    def expect(self, draft: Draft) -> Appended | Conflict:
        entries = self.model[draft.conversation]
        for entry in entries:
            if (entry.author, entry.client_id) == (draft.author, draft.client_id):
                same = (entry.kind, entry.body) == (draft.kind, draft.body)
                return Appended(entry, fresh=False) if same else Conflict(entry)
        entry = place(draft, 1, len(entries) + 1)
        entries.append(entry)
        return Appended(entry, fresh=True)

    def send(self, *calls: list[Draft]) -> None:
        async def together() -> list[list[Appended | Conflict]]:
            return await asyncio.gather(*map(self.log.append, calls))

        told = self.runner.run(together())
        assert told == [[self.expect(draft) for draft in call] for call in calls]

    # what may happen

    @rule(target=sent, draft=drafts)
    def append(self, draft: Draft) -> Draft:
        self.send([draft])
        return draft

    @rule(several=st.lists(drafts, max_size=6))
    def append_several(self, several: list[Draft]) -> None:
        self.send(several)

    @rule(calls=st.lists(st.lists(drafts, max_size=3), max_size=6))
    def append_at_once(self, calls: list[list[Draft]]) -> None:
        self.send(*calls)

    @rule(draft=sent, at=st.integers(0, 2**63 - 1))
    def resend(self, draft: Draft, at: int) -> None:
        self.send([msgspec.structs.replace(draft, at=at)])

    @rule(draft=sent, more=drafts)
    def resend_among_others(self, draft: Draft, more: Draft) -> None:
        self.send([more, draft, more], [draft, more])

    @rule(draft=sent, body=st.binary(max_size=40))
    def resend_with_another_body(self, draft: Draft, body: bytes) -> None:
        self.send([msgspec.structs.replace(draft, body=body)])

    @rule(draft=sent, conversation=conversations)
    def reuse_an_id_elsewhere(self, draft: Draft, conversation: UUID) -> None:
        self.send([msgspec.structs.replace(draft, conversation=conversation)])

    @rule(id=conversations, after=positions, limit=limits)
    def read_after(self, id: UUID, after: int, limit: int) -> None:
        told = self.runner.run(self.log.read(id, after=after, limit=limit))
        assert told == [entry for entry in self.model[id] if entry.seq > after][:limit]

    @rule(id=conversations, before=st.none() | positions, limit=limits)
    def read_before(self, id: UUID, before: int | None, limit: int) -> None:
        told = self.runner.run(self.log.read_before(id, before=before, limit=limit))
        older = [e for e in self.model[id] if before is None or e.seq < before]
        assert told == older[-limit:]

    @rule()
    def stop_and_start(self) -> None:
        self.reopen()

    @invariant()
    def heads_are_the_last_entries(self) -> None:
        if hasattr(self, "log"):
            told = self.runner.run(self.log.heads([*CONVERSATIONS, UUID(int=77)]))
            assert told == {
                id: Head(1, len(entries)) for id, entries in self.model.items() if entries
            }


class OneMemoryLog(OneLog):
    def open(self) -> MessageLog:
        return MemoryLog()


class OneLogInAFolder(OneLog):
    url = ""
    """With a place for the folder."""

    def open(self) -> MessageLog:
        self.folder = tempfile.TemporaryDirectory()
        return self.connect()

    def connect(self) -> MessageLog:
        self.storage = open_storage(self.url.format(self.folder.name))
        return self.storage.log

    def reopen(self) -> None:
        self.runner.run(self.storage.close())
        self.log = self.connect()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.runner.run(self.storage.close())
            self.folder.cleanup()
        super().teardown()


class OneSQLiteLog(OneLogInAFolder):
    url = "sqlite:///{}/log.db"


class OneRocksDBLog(OneLogInAFolder):
    url = "rocksdb:///{}/log"


class OnePostgresLog(OneLog):
    cluster: ClassVar[Cluster]

    def open(self) -> MessageLog:
        self.name = fresh_name()
        self.cluster.create(self.name, TEMPLATE)
        return self.connect()

    def connect(self) -> MessageLog:
        return open_storage(self.cluster.url(self.name)).log

    def reopen(self) -> None:
        self.runner.run(self.log.close())
        self.log = self.connect()

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "name"):
            self.cluster.drop(self.name)


def within(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


TestOneMemoryLog = OneMemoryLog.TestCase
TestOneMemoryLog.settings = within(60)
TestOneSQLiteLog = OneSQLiteLog.TestCase
TestOneSQLiteLog.settings = within(40)
TestOneRocksDBLog = OneRocksDBLog.TestCase
TestOneRocksDBLog.settings = within(30)


class TestOnePostgresLog(OnePostgresLog.TestCase):
    settings = within(20)

    @pytest.fixture(autouse=True)
    def _server(self, postgres: Cluster) -> None:
        OnePostgresLog.cluster = postgres
