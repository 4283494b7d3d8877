"""What every MessageLog does. Subclass LogSuite and give it a `make` fixture.

`make(bounds)` opens a fresh, empty log; the fixture closes what it made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.base import (
    Appended,
    Conflict,
    Draft,
    Entry,
    Head,
    MessageLog,
    StoreBusy,
    StoreUnavailable,
)
from storage.commit import Bounds
from storage.limits import MAX_BODY, MAX_CALL, MAX_READ

MakeLog = Callable[..., MessageLog]


def draft(conversation: UUID, body: bytes = b"hello", **changes: object) -> Draft:
    made = Draft(conversation, "visitor:1", uuid4(), "message", body, 1_700_000_000_000)
    return msgspec.structs.replace(made, **changes)


def fresh(result: Appended | Conflict) -> Entry:
    assert isinstance(result, Appended)
    assert result.fresh
    return result.entry


class LogSuite:
    @pytest.fixture
    def conversation(self) -> UUID:
        return uuid4()

    # append

    async def test_an_entry_is_its_draft_with_a_place(self, make: MakeLog, conversation: UUID):
        sent = draft(conversation, bytes(range(256)), author="agent:ø", kind="note", at=7)
        [result] = await make().append([sent])
        entry = fresh(result)
        assert (entry.epoch, entry.seq) == (1, 1)
        for field in Entry.__struct_fields__:
            if field in ("epoch", "seq"):
                continue
            assert getattr(entry, field) == getattr(sent, field)

    async def test_nothing_appends_nothing(self, make: MakeLog):
        assert await make().append([]) == []

    async def test_drafts_of_one_call_keep_their_order(self, make: MakeLog, conversation: UUID):
        log, other = make(), uuid4()
        sent = [draft(other if n % 3 == 2 else conversation, b"%d" % n) for n in range(9)]
        entries = [fresh(result) for result in await log.append(sent)]
        assert [entry.body for entry in entries] == [b"%d" % n for n in range(9)]
        assert [e.seq for e in entries] == [1, 2, 1, 3, 4, 2, 5, 6, 3]
        assert await log.read(conversation) == [e for e in entries if e.conversation != other]

    async def test_a_resend_gets_the_first_entry(self, make: MakeLog, conversation: UUID):
        log, sent = make(), draft(conversation)
        [first] = await log.append([sent])
        await log.append([draft(conversation)])
        later = msgspec.structs.replace(sent, at=sent.at + 5_000)
        assert await log.append([later]) == [Appended(fresh(first), fresh=False)]
        assert await log.heads([conversation]) == {conversation: Head(1, 2)}

    @pytest.mark.parametrize("changes", [{"body": b"other"}, {"kind": "note"}])
    async def test_an_id_used_for_something_else_is_a_conflict(
        self, make: MakeLog, conversation: UUID, changes: dict[str, object]
    ):
        log, sent = make(), draft(conversation)
        [first] = await log.append([sent])
        changed = msgspec.structs.replace(sent, **changes)
        assert await log.append([changed]) == [Conflict(fresh(first))]
        assert await log.read(conversation) == [fresh(first)]

    async def test_a_conflict_stops_none_of_its_call(self, make: MakeLog, conversation: UUID):
        log, sent = make(), draft(conversation)
        await log.append([sent])
        changed = msgspec.structs.replace(sent, body=b"other")
        results = await log.append([draft(conversation), changed, draft(conversation)])
        assert [type(result) for result in results] == [Appended, Conflict, Appended]
        assert [entry.seq for entry in await log.read(conversation)] == [1, 2, 3]

    async def test_twins_within_one_call(self, make: MakeLog, conversation: UUID):
        log, sent = make(), draft(conversation)
        changed = msgspec.structs.replace(sent, body=b"other")
        first, same, other = await log.append([sent, sent, changed])
        assert same == Appended(fresh(first), fresh=False)
        assert other == Conflict(fresh(first))
        assert await log.read(conversation) == [fresh(first)]

    async def test_an_id_is_unique_per_author_and_conversation(
        self, make: MakeLog, conversation: UUID
    ):
        log, sent = make(), draft(conversation)
        by_another = msgspec.structs.replace(sent, author="agent:2", body=b"mine")
        elsewhere = msgspec.structs.replace(sent, conversation=uuid4(), body=b"there")
        results = await log.append([sent, by_another, elsewhere])
        assert [fresh(result).seq for result in results] == [1, 2, 1]

    @pytest.mark.parametrize(
        "changes",
        [
            {"author": ""},
            {"author": "a" * 65},
            {"kind": ""},
            {"kind": "k" * 33},
            {"body": b"x" * (MAX_BODY + 1)},
            {"at": 2**63},
            {"at": -1},
        ],
    )
    async def test_a_draft_beyond_its_limits_stores_nothing(
        self, make: MakeLog, conversation: UUID, changes: dict[str, object]
    ):
        log = make()
        with pytest.raises(ValueError):
            await log.append([draft(conversation), draft(conversation, **changes)])
        assert await log.read(conversation) == []

    async def test_a_draft_at_its_limits_is_stored(self, make: MakeLog, conversation: UUID):
        sent = draft(conversation, b"x" * MAX_BODY, author="a" * 64, kind="k" * 32, at=2**63 - 1)
        log = make()
        [result] = await log.append([sent])
        assert await log.read(conversation) == [fresh(result)]

    async def test_a_call_is_bounded(self, make: MakeLog, conversation: UUID):
        log = make()
        with pytest.raises(ValueError):
            await log.append([draft(conversation)] * (MAX_CALL + 1))
        assert len(await log.append([draft(conversation) for _ in range(MAX_CALL)])) == MAX_CALL

    # many at once

    async def test_callers_resume_in_the_order_of_seq(self, make: MakeLog, conversation: UUID):
        log, conversations = make(), [uuid4() for _ in range(5)]
        resumed: dict[UUID, list[int]] = {id: [] for id in conversations}

        async def send(n: int) -> None:
            for _ in range(4):
                [result] = await log.append([draft(conversations[n % 5])])
                entry = fresh(result)
                resumed[entry.conversation].append(entry.seq)

        async with asyncio.TaskGroup() as tasks:
            for n in range(100):
                tasks.create_task(send(n))
        for id in conversations:
            assert resumed[id] == list(range(1, 81))
            assert [entry.seq for entry in await log.read(id)] == resumed[id]

    async def test_twins_in_flight_store_one(self, make: MakeLog, conversation: UUID):
        log, sent = make(), draft(conversation)
        others = [msgspec.structs.replace(sent, body=b"%d" % n) for n in range(5)]
        calls = [log.append([sent]) for _ in range(20)] + [log.append([d]) for d in others]
        results = [result for [result] in await asyncio.gather(*calls)]
        [entry] = await log.read(conversation)
        told = [result for result in results if isinstance(result, Appended)]
        assert len(told) == 20
        assert sum(result.fresh for result in told) == 1
        assert {result.entry for result in results} == {entry}

    async def test_over_the_bound_callers_are_refused_at_once(
        self, make: MakeLog, conversation: UUID
    ):
        log = make(Bounds(waiting_drafts=10, retry_after=0.5))
        calls = [log.append([draft(conversation)] * 1) for _ in range(25)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, StoreBusy)]
        assert results[10:] == refused
        assert {error.retry_after for error in refused} == {0.5}
        assert [entry.seq for entry in await log.read(conversation)] == list(range(1, 11))
        # What was told makes room for what comes.
        [result] = await log.append([draft(conversation)])
        assert fresh(result).seq == 11

    async def test_bytes_are_bounded_too(self, make: MakeLog, conversation: UUID):
        log = make(Bounds(waiting_bytes=10_000))
        calls = [log.append([draft(conversation, b"x" * 4_000)]) for _ in range(3)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(result, StoreBusy) for result in results] == [False, False, True]

    async def test_a_cancelled_caller_disturbs_nobody(self, make: MakeLog, conversation: UUID):
        log, given_up = make(), draft(conversation, b"given up")
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(log.append([draft(conversation)])) for _ in range(5)]
            cancelled = tasks.create_task(log.append([given_up]))
            waiting += [tasks.create_task(log.append([draft(conversation)])) for _ in range(5)]
            await asyncio.sleep(0)
            cancelled.cancel()
        assert cancelled.cancelled()
        seqs = [fresh(task.result()[0]).seq for task in waiting]
        assert seqs == sorted(seqs)
        # Stored or not, a resend tells; and nothing is missing or there twice.
        [told] = await log.append([given_up])
        assert isinstance(told, Appended)
        entries = await log.read(conversation)
        assert [entry.seq for entry in entries] == list(range(1, 12))
        assert [e.body for e in entries].count(b"given up") == 1

    # read

    async def test_read_after_a_position(self, make: MakeLog, conversation: UUID):
        log = make()
        await log.append([draft(conversation) for _ in range(10)])
        await log.append([draft(uuid4())])

        async def seqs(**where: int) -> list[int]:
            return [entry.seq for entry in await log.read(conversation, **where)]

        assert await seqs() == list(range(1, 11))
        assert await seqs(after=7) == [8, 9, 10]
        assert await seqs(after=3, limit=2) == [4, 5]
        assert await seqs(after=10) == []
        assert await seqs(after=2**63 - 1) == []

    async def test_read_before_a_position(self, make: MakeLog, conversation: UUID):
        log = make()
        await log.append([draft(conversation) for _ in range(10)])
        await log.append([draft(uuid4())])

        async def seqs(before: int | None = None, limit: int = 100) -> list[int]:
            found = await log.read_before(conversation, before=before, limit=limit)
            return [entry.seq for entry in found]

        assert await seqs() == list(range(1, 11))
        assert await seqs(limit=3) == [8, 9, 10]
        assert await seqs(before=4) == [1, 2, 3]
        assert await seqs(before=4, limit=2) == [2, 3]
        assert await seqs(before=1) == []
        assert await seqs(before=0) == []
        assert await seqs(before=2**63 - 1, limit=1) == [10]

    async def test_an_unknown_conversation_is_empty(self, make: MakeLog, conversation: UUID):
        log = make()
        assert await log.read(conversation) == []
        assert await log.read_before(conversation) == []
        assert await log.heads([conversation]) == {}

    async def test_reads_are_bounded(self, make: MakeLog, conversation: UUID):
        log = make()
        for limit in (0, -1, MAX_READ + 1):
            with pytest.raises(ValueError):
                await log.read(conversation, limit=limit)
            with pytest.raises(ValueError):
                await log.read_before(conversation, limit=limit)
        for position in (-1, 2**63):
            with pytest.raises(ValueError):
                await log.read(conversation, after=position)
            with pytest.raises(ValueError):
                await log.read_before(conversation, before=position)

    async def test_heads_of_those_that_have_entries(self, make: MakeLog, conversation: UUID):
        log, other, unknown = make(), uuid4(), uuid4()
        await log.append([draft(conversation), draft(other), draft(conversation)])
        heads = await log.heads([conversation, unknown, other])
        assert heads == {conversation: Head(1, 2), other: Head(1, 1)}
        assert await log.heads([]) == {}

    # close

    async def test_close_finishes_what_waits(self, make: MakeLog, conversation: UUID):
        log = make()
        calls = [asyncio.ensure_future(log.append([draft(conversation)])) for _ in range(50)]
        await asyncio.sleep(0)
        await log.close()
        assert [fresh(call.result()[0]).seq for call in calls] == list(range(1, 51))

    async def test_a_closed_log_is_unavailable(self, make: MakeLog, conversation: UUID):
        log = make()
        await log.append([draft(conversation)])
        await log.close()
        await log.close()
        with pytest.raises(StoreUnavailable):
            await log.append([draft(conversation)])
        with pytest.raises(StoreUnavailable):
            await log.read(conversation)
        with pytest.raises(StoreUnavailable):
            await log.read_before(conversation)
        with pytest.raises(StoreUnavailable):
            await log.heads([conversation])
