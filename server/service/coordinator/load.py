"""The load: which conversations take a place of an agent now. Live state, derived from the log.

A place is *held* by a conversation that is open and assigned to the agent, and *kept* for one by a
transaction that is about to assign it. Nothing here is the truth: a place held is known from the
fold of the conversation's log, one kept from the transaction's record in the journal, and all of it
can be made again from those (places.py does).

The load may be wrong in one direction only. A conversation that was closed or went to another agent
may still be in it, so nobody is refused on its word alone: whoever finds it full checks what is in
it, and takes out what is there no more. But what takes a place is in it before it does: a place is
kept before the assignment is written. And a load that may have forgotten something, because it was
lost, or its server is another one now, or it is older than LIFETIME, is not *complete*: then no
place is given until it has been made again.

May import: nothing above.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

from msgspec import Struct

LIFETIME = 300.0
"""Seconds after which a load is made anew: the longest time that a mistake in it lives."""


class LoadUnavailable(Exception):
    """What keeps the loads cannot be reached."""


class Given(StrEnum):
    """What came of asking for a place."""

    KEPT = "kept"
    FULL = "full"
    INCOMPLETE = "incomplete"
    FENCED = "fenced"


class Taken(Struct, frozen=True):
    """What is in a load."""

    held: dict[UUID, int] = {}
    """By conversation, up to which `seq` its log said so."""
    kept: dict[UUID, UUID] = {}
    """By conversation, the transaction that keeps the place."""


class Load(Protocol):
    """The places of agents.

    Invariants, which tests/conformance/load_suite.py holds every implementation to:
    - each call is atomic;
    - `keep` never gives more than `capacity` places, a conversation counting once;
    - for each agent and conversation the highest token is remembered as long as the load is: a
      `keep` with a lower one, or with one that was dropped, is FENCED, so that what was dropped and
      asks late is not given;
    - a `leave` that is older than the last `hold` of the conversation changes nothing;
    - `restore` adds to what came while it was being prepared, and does nothing when anything may
      have been forgotten since `prepare_restore` gave its mark, when it was restored since, or when
      it is too early to tell. Who
      prepare at the same time have one mark together, and the first of them restores;
    - LIFETIME after it was made complete, a load is empty and not complete.
    A call may raise LoadUnavailable: then it may have been done, or not.
    """

    async def keep(
        self, agent: UUID, conversation: UUID, transaction: UUID, *, capacity: int, token: int
    ) -> Given:
        """Keep a place for a transaction. One that has the place already keeps it, while there is
        room; whatever the answer is but KEPT, nothing is kept for it."""
        ...

    async def drop(self, agent: UUID, conversation: UUID, transaction: UUID, *, token: int) -> None:
        """Give back a place that was kept."""
        ...

    async def hold(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """The log said at `seq` that the conversation takes a place."""
        ...

    async def leave(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """The log said at `seq` that it takes none of this agent."""
        ...

    async def taken(self, agent: UUID) -> Taken:
        """What is in the load, complete or not."""
        ...

    async def prepare_restore(self, agent: UUID) -> str:
        """A mark, to be given to `restore`. What it restores must be read after this."""
        ...

    async def restore(self, agent: UUID, mark: str, taken: Taken) -> bool:
        """Make the load complete, if it still can be."""
        ...


class _Places:
    """One agent's, until a time."""

    def __init__(self, until: float) -> None:
        self.held: dict[UUID, int] = {}
        self.kept: dict[UUID, UUID] = {}
        self.tokens: dict[UUID, int] = {}
        self.mark = ""
        self.complete = False
        self.until = until

    def hold(self, conversation: UUID, seq: int) -> None:
        self.held[conversation] = max(seq, self.held.get(conversation, 0))


class LocalLoad:
    """See Load. For one process; `clock` is monotonic. Nothing awaits, so each call is atomic."""

    def __init__(self, clock: Callable[[], float], lifetime: float = LIFETIME) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._agents: dict[UUID, _Places] = {}

    async def keep(
        self, agent: UUID, conversation: UUID, transaction: UUID, *, capacity: int, token: int
    ) -> Given:
        """See Load."""
        places = self._of(agent)
        if token < places.tokens.get(conversation, 0):
            return Given.FENCED
        if not places.complete:
            return Given.INCOMPLETE
        others = (places.held.keys() | places.kept.keys()) - {conversation}
        if conversation not in places.held and len(others) >= capacity:
            if places.kept.get(conversation) == transaction:
                del places.kept[conversation]
            return Given.FULL
        places.tokens[conversation] = token
        places.kept[conversation] = transaction
        return Given.KEPT

    async def drop(self, agent: UUID, conversation: UUID, transaction: UUID, *, token: int) -> None:
        """See Load."""
        places = self._of(agent)
        places.tokens[conversation] = max(token + 1, places.tokens.get(conversation, 0))
        if places.kept.get(conversation) == transaction:
            del places.kept[conversation]

    async def hold(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        self._of(agent).hold(conversation, seq)

    async def leave(self, agent: UUID, conversation: UUID, seq: int) -> None:
        """See Load."""
        places = self._of(agent)
        if conversation in places.held and places.held[conversation] <= seq:
            del places.held[conversation]

    async def taken(self, agent: UUID) -> Taken:
        """See Load."""
        places = self._of(agent)
        return Taken(dict(places.held), dict(places.kept))

    async def prepare_restore(self, agent: UUID) -> str:
        """See Load."""
        places = self._of(agent)
        places.mark = places.mark or uuid4().hex
        return places.mark

    async def restore(self, agent: UUID, mark: str, taken: Taken) -> bool:
        """See Load."""
        places = self._of(agent)
        if places.mark != mark:
            return False
        for conversation, seq in taken.held.items():
            places.hold(conversation, seq)
        places.kept = {**taken.kept, **places.kept}
        places.mark, places.complete = "", True
        places.until = self._clock() + self._lifetime
        return True

    def _of(self, agent: UUID) -> _Places:
        places = self._agents.get(agent)
        if places is None or self._clock() >= places.until:
            places = self._agents[agent] = _Places(self._clock() + self._lifetime)
        return places
