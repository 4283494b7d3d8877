"""The coordinator: carries transactions through the table of machine.py, and finishes what the dead
have left.

What holds always:
- a state is in the journal before anything is done in it;
- a transaction has one outcome, whoever carries it through (machine.py says why);
- who finds another transaction of its key unfinished finishes that one first;
- nothing waits without end: a command has `patience` seconds, and who asks for a transaction gets
  an answer after the lock's patience and a few of those. What is decided by then and not done
  everywhere is finished by `recover`, here or in another process;
- when the process dies at any moment, `recover` of any other one finishes it, with no help from
  the dead one.
Bounds: `recover` takes RECOVERED records at a time.
May import: base, locks, machine; the journal of storage.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from server.service.coordinator.base import (
    Lease,
    LockBusy,
    LockUnavailable,
    No,
    Participant,
    Transaction,
)
from server.service.coordinator.locks import Holding
from server.service.coordinator.machine import (
    COMMANDS,
    FINAL,
    Answer,
    BrokenPromise,
    Command,
    State,
    after,
    found,
)
from storage.base import Journal, Record, StorageError

PATIENCE = 3.0
"""Seconds for one command to all participants."""
STALE = 10.0
"""Seconds after which a record that nobody has written to is looked at by `recover`."""
EVERY = 5.0
"""Seconds between two looks."""
KEPT = 86_400.0
"""Seconds for which a finished record is kept, so that a resend is known as such."""
LOOKS = 100
"""Looks between two times that old records are forgotten."""
RECOVERED = 100
"""Records recovered in one look."""
TRIES = 2
"""How often a command is given that must succeed, before it is left to `recover`."""

log = structlog.get_logger(__name__)


class Outcome(Struct, frozen=True):
    """What became of a transaction."""

    state: State
    """DONE or ABORTED; COMMITTING or ABORTING when that is decided and not done everywhere yet."""
    values: tuple[Any, ...] = ()
    """When this call committed: what the participants returned."""
    reason: No | None = None
    """When this call aborted: the participant's word."""

    @property
    def committed(self) -> bool:
        """Whether it is decided that it happens."""
        return self.state in (State.COMMITTING, State.DONE)


class _Overtaken(Exception):
    """Somebody else has written to the record: it is theirs to finish."""

    def __init__(self, standing: Record) -> None:
        self.standing = standing


class Coordinator:
    """Runs transactions. `kinds` names the participants of each kind, in the order in which they
    are told (to abort: the other way round); every process of a region has the same."""

    def __init__(
        self,
        journal: Journal,
        locks: Holding,
        kinds: Mapping[str, Sequence[Participant]],
        *,
        now: Callable[[], int],
        patience: float = PATIENCE,
        stale: float = STALE,
    ) -> None:
        self._journal = journal
        self._locks = locks
        self._kinds = kinds
        self._now = now
        self._patience = patience
        self._stale = stale

    async def run(self, transaction: Transaction) -> Outcome:
        """Carry it through. Raises LockBusy, LockUnavailable or StorageError: then whether it
        happens is open, and the same transaction may be run again to learn it.

        One that is DONE already stays so. One that was aborted is tried anew.
        """
        while True:
            async with self._locks.of(transaction.key) as lease:
                record = await self._begin(transaction, lease)
                if record is None:
                    continue  # An attempt has a token of its own, and this one was used.
                if record.state == State.DONE:
                    return Outcome(State.DONE)
                return await self._carry(record)

    async def recover(self) -> int:
        """Finish what nobody has touched for a while; returns how many it finished."""
        stale = await self._journal.unfinished(
            older_than=max(0, self._now() - round(self._stale * 1000)), limit=RECOVERED
        )
        finished = 0
        for record in stale:
            try:
                async with self._locks.of(record.key) as lease:
                    finished += await self._finish(record, lease)
            except (LockBusy, LockUnavailable) as error:
                log.info("coordinator.not_recovered", id=str(record.id), reason=str(error))
            except BrokenPromise:
                log.exception("coordinator.broken_promise", id=str(record.id))
        return finished

    async def forget(self) -> int:
        """Drop records that nobody will ask for any more, some of them; returns how many."""
        return await self._journal.forget(older_than=max(0, self._now() - round(KEPT * 1000)))

    async def watch(self) -> None:
        """Recover at once and then now and again, for ever."""
        for look in itertools.count():
            try:
                if look % LOOKS == 0:
                    await self.forget()
                if finished := await self.recover():
                    log.info("coordinator.recovered", transactions=finished)
            except StorageError as error:
                log.warning("coordinator.cannot_recover", reason=str(error))
            await asyncio.sleep(EVERY)

    async def _begin(self, transaction: Transaction, lease: Lease) -> Record | None:
        """The record, PREPARING; or DONE, when it had been done before; None when another one was
        in the way, which is finished now."""
        wanted = Record(
            transaction.id,
            transaction.kind,
            transaction.key,
            after(State.BEGUN, Answer.YES),
            transaction.payload,
            lease.token,
            1,
            self._now(),
        )
        expected: str | None = None
        while (standing := await self._journal.put(wanted, expected=expected)) != wanted:
            if standing.state not in FINAL:
                await self._finish(standing, lease)
                return None
            elif standing.id != transaction.id or standing.token > lease.token:
                raise LockBusy("another process took the lock over")
            elif standing.state == State.DONE:
                return standing
            else:
                expected = standing.state
                wanted = replace(wanted, attempt=standing.attempt + 1)
        return wanted

    async def _finish(self, record: Record, lease: Lease) -> bool:
        """Take over what somebody else has left, as it is in the journal now; whether there was
        anything to do. Raises LockBusy when it is not finished after that."""
        latest = await self._journal.find_record(record.id)
        if latest is None or latest.state in FINAL:
            return False
        try:
            taken = await self._write(latest, found(State(latest.state)), token=lease.token)
        except _Overtaken:
            raise LockBusy("another process takes the transaction over") from None
        outcome = await self._carry(taken)
        log.info("coordinator.took_over", id=str(record.id), kind=record.kind, now=outcome.state)
        if outcome.state not in FINAL:
            raise LockBusy("a transaction before this one cannot be finished yet")
        return True

    async def _carry(self, record: Record) -> Outcome:
        """Go on from a record that is written, to its end."""
        values: tuple[Any, ...] = ()
        reason: No | None = None
        try:
            tries = 0
            while (state := State(record.state)) not in FINAL:
                answer, told = await self._tell(record, COMMANDS[state])
                if answer is Answer.NO:
                    assert isinstance(told, No)
                    reason = told
                elif answer is Answer.YES and state is State.COMMITTING:
                    values = told
                following = after(state, answer)
                if following is state:
                    tries += 1
                    if tries >= TRIES:
                        break
                    continue
                record = await self._write(record, following)
        except _Overtaken as overtaken:
            return self._told_by(overtaken.standing, record, reason)
        return Outcome(State(record.state), values, reason)

    def _told_by(self, standing: Record, record: Record, reason: No | None) -> Outcome:
        """What somebody else made of it, as far as it is known."""
        if standing.id != record.id or standing.state == State.PREPARING:
            raise LockBusy("another process took the transaction over")
        return Outcome(State(standing.state), (), reason)

    async def _write(self, record: Record, state: State, *, token: int | None = None) -> Record:
        """The next record. Raises _Overtaken when somebody else was there first."""
        attempt = record.attempt + (token is not None)
        wanted = replace(
            record,
            state=state.value,
            token=record.token if token is None else token,
            attempt=attempt,
            updated_at=self._now(),
        )
        standing = await self._journal.put(wanted, expected=record.state)
        if standing != wanted:
            raise _Overtaken(standing)
        return wanted

    async def _tell(self, record: Record, command: Command) -> tuple[Answer, Any]:
        """Give all participants the command; what came of it, and what they returned."""
        participants = self._kinds.get(record.kind)
        if participants is None:
            log.error("coordinator.unknown_kind", kind=record.kind, id=str(record.id))
            return Answer.SILENCE, None
        transaction = Transaction(record.id, record.kind, record.key, record.payload)
        ordered = reversed(participants) if command is Command.ABORT else participants
        values = []
        try:
            async with asyncio.timeout(self._patience):
                for participant in ordered:
                    tell = getattr(participant, command.value)
                    values.append(await tell(transaction, record.token))
        except No as no:
            return Answer.NO, no
        except Exception as error:
            log.warning(
                "coordinator.silence",
                id=str(record.id),
                command=command.value,
                reason=f"{type(error).__name__}: {error}",
            )
            return Answer.SILENCE, None
        return Answer.YES, tuple(values)
