"""Places: what the load of an agent should be, by the log and the journal, and keeping it so.

What holds always: nobody is refused a place but for conversations that take one by their logs;
while it is open whether somebody else gets the last one, that is waited for; no place is given
while the load may have forgotten one (load.py says how it knows).

Why a restored load has all that takes a place. An assignment is, one after the other: a record in
the journal, a place kept, an entry of the log, a row of the directory, a place held, and no longer
unfinished in the journal. Restoring reads the journal first, then the directory: what was no more
unfinished when the one was read, was in the other before that.
May import: change, load, machine; domain; service's conversations; storage.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from server.domain.capacity import MAX_CAPACITY, capacity
from server.service.conversations import Conversations, Known
from server.service.coordinator.change import KIND, read
from server.service.coordinator.load import Given, Load, LoadUnavailable, Taken
from server.service.coordinator.machine import FINAL, State
from storage.base import Directory, Journal, Record, StorageError
from storage.limits import MAX_INTEGER

PATIENCE = 1.5
"""Seconds for which a place is waited for that others may get or not."""
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.2
"""Seconds between two looks; they double."""
MAX_UNFINISHED = 1_000
"""Unfinished transactions that are looked through when restoring. Over it none can be restored."""

log = structlog.get_logger(__name__)


class Undecided(Exception):
    """Whether there is a place cannot be told for now."""


class Places:
    """The places of agents who have a capacity."""

    def __init__(
        self, load: Load, journal: Journal, directory: Directory, conversations: Conversations
    ) -> None:
        self._load = load
        self._journal = journal
        self._directory = directory
        self._conversations = conversations

    async def keep(
        self, agent: UUID, conversation: UUID, transaction: UUID, *, capacity: int, token: int
    ) -> Given:
        """Keep a place: KEPT, FULL or FENCED. Raises Undecided, LoadUnavailable or StorageError."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        pause = FIRST_PAUSE
        while asyncio.get_running_loop().time() < deadline:
            given = await self._load.keep(
                agent, conversation, transaction, capacity=capacity, token=token
            )
            if given is Given.INCOMPLETE:
                if await self._restore(agent):
                    continue
            elif given is not Given.FULL:
                return given
            elif len(await self._held(agent) - {conversation}) >= capacity:
                return Given.FULL
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Undecided(f"what agent {agent} has is not known, or about to change")

    async def settle(self, agent: UUID, conversation: UUID, transaction: UUID, token: int) -> None:
        """The log has been written to: what the agent's load should be of it, and nothing kept."""
        known = await self._conversations.get(conversation)
        if known is not None:
            await self._conversations.save(known)
            await self._correct(agent, known)
        await self._load.drop(agent, conversation, transaction, token=token)

    async def drop(self, agent: UUID, conversation: UUID, transaction: UUID, token: int) -> None:
        """Give back what was kept."""
        await self._load.drop(agent, conversation, transaction, token=token)

    async def taken(self, known: Known, agent: UUID) -> None:
        """A conversation takes a place that nobody asked for: its visitor has opened it again, or
        the agent had no capacity then. See Conversations.taken.

        When it cannot be told, the load lacks the place until it is made again.
        """
        try:
            person = await self._directory.get_agent(agent)
            if person is not None and capacity(person.settings) is not None:
                await self._load.hold(agent, known.record.id, known.fold.seq)
        except (StorageError, LoadUnavailable) as error:
            log.warning("places.not_told", agent=str(agent), reason=str(error))

    async def _restore(self, agent: UUID) -> bool:
        mark = await self._load.prepare_restore(agent)
        unfinished = await self._journal.unfinished(older_than=MAX_INTEGER, limit=MAX_UNFINISHED)
        if len(unfinished) == MAX_UNFINISHED:
            raise Undecided("too many transactions are unfinished to tell the loads")
        kept = {r.key: r.id for r in unfinished if keeper(r) == agent}
        person = await self._directory.get_agent(agent)
        held = {}
        if person is not None:
            # One read, and so of one moment. Who has more is full, whatever their capacity.
            open_ones = await self._directory.list_conversations(
                person.shop, status="open", assignee=agent, limit=MAX_CAPACITY
            )
            held = {record.id: record.seq for record in open_ones}
        return await self._load.restore(agent, mark, Taken(held, kept))

    async def _held(self, agent: UUID) -> set[UUID]:
        """What takes a place by its log. The rest is taken out of the load."""
        taken = await self._load.taken(agent)
        for conversation, transaction in taken.kept.items():
            record = await self._journal.find_record(transaction)
            if record is None or State(record.state) in FINAL:
                await self._load.drop(agent, conversation, transaction, token=0)
        records = [await self._directory.get_conversation(id) for id in taken.held]
        found = [record for record in records if record is not None]
        everything = await self._conversations.catch_up(found)
        for known in everything:
            await self._correct(agent, known)
        return {known.record.id for known in everything if known.holder == agent}

    async def _correct(self, agent: UUID, known: Known) -> None:
        seq = known.fold.seq
        if known.holder == agent:
            await self._load.hold(agent, known.record.id, seq)
        else:
            await self._load.leave(agent, known.record.id, seq)


def keeper(record: Record) -> UUID | None:
    """The agent for whom a transaction keeps a place."""
    return read(record.payload).agent if record.kind == KIND else None
