"""The two-phase commit, as a table.

Some state lives in several places: a conversation's assignee in its log, the agent's load in
Redis, tomorrow the home of a conversation in two regions. It shall change in all of them or in
none, whoever dies at whatever moment.

    BEGUN ──written──▶ PREPARING ──yes──▶ COMMITTING ──yes──▶ DONE
                          │                 ▲    │
                          │                 └────┘ silence: told again
                          │ no, silence
                          ▼
                       ABORTING ──yes──▶ ABORTED
                        ▲    │
                        └────┘ silence: told again

*The write-ahead record.* Each state but the first is written to a journal on disk before anything
is done in it. So whoever reads PREPARING knows that participants may have been asked, and which,
and whoever reads COMMITTING that all of them said yes.

*The decision is a record.* The transaction is committed at the moment in which COMMITTING is on
disk, not when participants hear of it. A participant that has prepared has promised that it can
commit, so nothing is left that could go wrong for good: NO is no answer to COMMIT or ABORT, only
silence is, and then it is told again.

*Presumed abort.* A transaction of which nothing is written, or only PREPARING, has not been
decided, and whoever finds it so decides that it is aborted. Nobody needs to be asked for that,
which is what makes recovery possible while participants are away. It costs a transaction that may
have been about to commit; its caller is told so, and tries again.

*One outcome.* Two processes may hold the same transaction in their hands: one that was stopped and
believes itself alone, one that recovers. Both may write only by compare-and-set on the state, and
the table offers no way between {COMMITTING, DONE} and {ABORTING, ABORTED}. So the first of them
that leaves PREPARING decides, the other one's write fails, and it stops. What a stopped process had
sent before may still arrive late; participants take it for what it is by its fencing token
(locks.py), which is lower than that of whoever took over.

*Silence is all that a crash leaves.* A participant that does not answer, an answer that got lost, a
time that ran out and a coordinator that died are the same event to this table, because after any of
them nobody knows whether the participant did it. That is why all three commands can be repeated.

May import: nothing.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How far a transaction is. The values are what the journal keeps."""

    BEGUN = "begun"
    """Nothing is written, nobody was asked. Never on disk."""
    PREPARING = "preparing"
    COMMITTING = "committing"
    ABORTING = "aborting"
    DONE = "done"
    ABORTED = "aborted"


class Command(StrEnum):
    """What all participants are told in a state."""

    PREPARE = "prepare"
    COMMIT = "commit"
    ABORT = "abort"


class Answer(StrEnum):
    """What came of telling them."""

    YES = "yes"
    """All of them did it."""
    NO = "no"
    """One will not, for good, and has changed nothing."""
    SILENCE = "silence"
    """Nobody knows."""


COMMANDS: dict[State, Command] = {
    State.PREPARING: Command.PREPARE,
    State.COMMITTING: Command.COMMIT,
    State.ABORTING: Command.ABORT,
}
"""What is to be done once the state is on disk. In the others: nothing."""

TRANSITIONS: dict[State, dict[Answer, State]] = {
    State.BEGUN: {
        Answer.YES: State.PREPARING,
    },
    State.PREPARING: {
        Answer.YES: State.COMMITTING,
        Answer.NO: State.ABORTING,
        Answer.SILENCE: State.ABORTING,
    },
    State.COMMITTING: {
        Answer.YES: State.DONE,
        Answer.SILENCE: State.COMMITTING,
    },
    State.ABORTING: {
        Answer.YES: State.ABORTED,
        Answer.SILENCE: State.ABORTING,
    },
    State.DONE: {},
    State.ABORTED: {},
}
"""The next state, to be written before anything is done in it."""

FINAL = frozenset(state for state, ways in TRANSITIONS.items() if not ways)
"""Nothing is left to do."""


class BrokenPromise(Exception):
    """A participant answered what its state does not allow: a fault of ours, not of a network."""


def after(state: State, answer: Answer) -> State:
    """The state that follows. Raises BrokenPromise when the table knows none."""
    try:
        return TRANSITIONS[state][answer]
    except KeyError:
        raise BrokenPromise(f"{answer} is no answer in the state {state}") from None


def found(state: State) -> State:
    """The state to go on in, for who finds a transaction that somebody else has left."""
    return state if state in FINAL else after(state, Answer.SILENCE)
