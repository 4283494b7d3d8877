"""Assignment against capacity: an entry that takes a place of an agent who has only so many.

Such an entry goes through a transaction with two participants, told in this order:

              the agent's load (AgentPlace)     the log (LogEntry)
    prepare   keep a place, or NO               NO when who is assigned is another one by now
    commit    (second) held, as the log says    (first) append; a resend finds it there
    abort     drop what was kept                –

An entry may take a place when it assigns, or when an agent opens what is assigned: it is asked for
whatever the conversation's state seems to be, because that may change meanwhile. Everything else is
appended as ever: closing and taking away give places back, which is noticed when somebody is about
to be refused; and a visitor who writes in a closed conversation is let in whatever the capacity is,
back to the agent who knows them, and counts.

What holds always: an entry that was accepted is in the log; one that was refused is not; no entry
of an agent brings a load over the capacity that its agent had when it was asked for.
May import: base, change, coordinator, places; domain; service; storage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from server.domain import entries, people
from server.domain.capacity import capacity
from server.domain.entries import Body
from server.domain.people import Role
from server.domain.refusal import Code, Refusal
from server.service.conversations import Conversations, Known
from server.service.coordinator.base import (
    Fenced,
    LockBusy,
    LockUnavailable,
    No,
    Participant,
    Transaction,
)
from server.service.coordinator.change import read, transaction
from server.service.coordinator.coordinator import Coordinator
from server.service.coordinator.load import Given
from server.service.coordinator.places import Places
from server.service.guard import guarded
from storage.base import Agent, Directory, Draft, Entry

UNDECIDED = "this cannot be decided now, try again in a moment"

Append = Callable[[Draft], Awaitable[Entry]]
"""Appends and publishes. Raises Refusal."""

log = structlog.get_logger(__name__)


class Outdated(No):
    """What the change was made for is not so any more."""


class LogEntry:
    """The log as a participant. The entry's client id makes appending it twice appending it once,
    and there is nothing to fence: only a decision brings it here, and that is never taken back."""

    def __init__(self, append: Append, conversations: Conversations) -> None:
        self._append = append
        self._conversations = conversations

    async def prepare(self, transaction: Transaction, token: int) -> None:
        """See Participant. Who is opened for must be who is assigned."""
        change = read(transaction.payload)
        if change.kind != "status":
            return
        known = await self._conversations.get(transaction.key)
        if known is not None:
            [known] = await self._conversations.catch_up([known.record])
            if known.fold.assignee != people.who(Role.AGENT, change.agent):
                raise Outdated("another agent is assigned by now")

    async def commit(self, transaction: Transaction, token: int) -> Entry | Refusal:
        """See Participant. The log's word, which is final also when it is no."""
        try:
            return await self._append(read(transaction.payload).draft(transaction.key))
        except Refusal as refusal:
            if refusal.retry_after is not None:
                raise
            return refusal

    async def abort(self, transaction: Transaction, token: int) -> None:
        """See Participant."""


class AgentPlace:
    """The load of the agent as a participant."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def prepare(self, transaction: Transaction, token: int) -> None:
        """See Participant."""
        change = read(transaction.payload)
        given = await self._places.keep(
            change.agent, transaction.key, transaction.id, capacity=change.capacity, token=token
        )
        if given is Given.FENCED:
            raise Fenced(f"{token} is too low a token for {transaction.key}")
        if given is Given.FULL:
            raise No(f"the agent has {change.capacity} open conversations already")

    async def commit(self, transaction: Transaction, token: int) -> None:
        """See Participant. By the log as it is now, so late is as good as in time."""
        agent = read(transaction.payload).agent
        await self._places.settle(agent, transaction.key, transaction.id, token)

    async def abort(self, transaction: Transaction, token: int) -> None:
        """See Participant."""
        agent = read(transaction.payload).agent
        await self._places.drop(agent, transaction.key, transaction.id, token)


def participants(
    append: Append, conversations: Conversations, places: Places
) -> tuple[Participant, ...]:
    """Who takes part in a transaction of change.KIND."""
    return LogEntry(append, conversations), AgentPlace(places)


class Assignments:
    """The way of entries that take a place."""

    def __init__(
        self,
        coordinator: Coordinator,
        directory: Directory,
        conversations: Conversations,
        append: Append,
    ) -> None:
        self._coordinator = coordinator
        self._directory = directory
        self._conversations = conversations
        self._append = append

    async def take(self, known: Known, draft: Draft, body: Body) -> Entry | None:
        """The entry on disk, if it takes a place of somebody who has only so many of them; None
        for any other, which is to be appended as ever. Raises Refusal."""
        with guarded():
            agent = await self._agent(known, draft, body)
            limit = None if agent is None else capacity(agent.settings)
            if agent is None or limit is None:
                return None
            asked = transaction(draft, agent.id, limit)
            try:
                outcome = await self._coordinator.run(asked)
            except LockBusy as error:
                log.info("assignment.not_decided", reason=str(error))
                raise Refusal(Code.BUSY, "somebody else is at it, try again in a moment") from error
            except LockUnavailable as error:
                log.warning("assignment.not_decided", reason=str(error))
                raise Refusal(Code.UNAVAILABLE, UNDECIDED) from error
        if outcome.reason is not None and not isinstance(outcome.reason, Outdated):
            raise Refusal(Code.AT_CAPACITY, f"{agent.name} has {_as_many(limit)} already")
        if not outcome.committed:
            raise Refusal(Code.UNAVAILABLE, UNDECIDED)
        # Decided before, or not yet written everywhere: the entry is there, or may be appended.
        value = outcome.values[0] if outcome.values else await self._append(draft)
        if isinstance(value, Refusal):
            raise value
        entry: Entry = value
        return entry

    async def _agent(self, known: Known, draft: Draft, body: Body) -> Agent | None:
        """Of whom the entry takes a place."""
        if isinstance(body, entries.Assignment):
            wanted = None if body.agent is None else people.parse(body.agent)
        elif isinstance(body, entries.Status) and body.status == "open":
            [known] = await self._conversations.catch_up([known.record])
            wanted = None if known.fold.assignee is None else people.parse(known.fold.assignee)
        else:
            return None
        return None if wanted is None else await self._directory.get_agent(wanted[1])


def _as_many(limit: int) -> str:
    return "1 open conversation" if limit == 1 else f"{limit} open conversations"
