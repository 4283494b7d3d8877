"""The table, and a model of everything that may happen around it.

In the model several coordinators work on the same transactions, each stopped after any of its
steps, for good or for a while; their commands travel apart from them, and arrive late, twice, or
never. Whatever happens, a transaction has one outcome, and once somebody recovers in peace all
participants know it.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.service.coordinator.machine import (
    COMMANDS,
    FINAL,
    TRANSITIONS,
    Answer,
    BrokenPromise,
    Command,
    State,
    after,
    found,
)
from storage.base import FINAL as FINAL_ON_DISK

YES_SIDE = {State.COMMITTING, State.DONE}
NO_SIDE = {State.ABORTING, State.ABORTED}


def test_every_state_has_its_row():
    assert TRANSITIONS.keys() == set(State)


def test_there_is_something_to_do_exactly_in_what_is_on_disk_and_not_final():
    assert COMMANDS.keys() == set(State) - FINAL - {State.BEGUN}


def test_the_store_knows_the_same_final_states():
    assert set(FINAL_ON_DISK) == {state.value for state in FINAL}


def test_there_is_no_way_between_the_outcomes():
    for state in State:
        reached = reachable(state)
        if state in YES_SIDE:
            assert not reached & NO_SIDE
        if state in NO_SIDE:
            assert not reached & YES_SIDE


def test_from_everywhere_the_end_can_be_reached():
    for state in State:
        assert reachable(state) & FINAL


def test_only_silence_follows_a_decision_that_is_not_carried_out():
    for state in (State.COMMITTING, State.ABORTING):
        assert after(state, Answer.SILENCE) is state
        with pytest.raises(BrokenPromise, match="no is no answer"):
            after(state, Answer.NO)


def test_what_is_found_undecided_is_aborted():
    assert found(State.PREPARING) is State.ABORTING
    for state in (State.COMMITTING, State.ABORTING, State.DONE, State.ABORTED):
        assert found(state) is state


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_end_is_the_end(state: State, answer: Answer):
    with pytest.raises(BrokenPromise):
        after(state, answer)


def reachable(state: State) -> set[State]:
    seen: set[State] = set()
    ahead = {state}
    while ahead:
        seen |= ahead
        ahead = {to for one in ahead for to in TRANSITIONS[one].values()} - seen
    return seen


class Record(NamedTuple):
    """As in the journal."""

    state: State
    token: int


class Place:
    """A participant, by the rules of base.Participant. It can promise to one at a time."""

    def __init__(self) -> None:
        self.token = 0
        self.promised: set[int] = set()
        self.committed: set[int] = set()
        self.commits = 0

    def told(self, transaction: int, command: Command, token: int) -> Answer:
        if command is Command.COMMIT and transaction in self.committed:
            self.token = max(self.token, token + 1)
            return Answer.YES  # Changing nothing, whatever the token is.
        if token < self.token:
            return Answer.SILENCE
        self.token = token
        if command is Command.PREPARE:
            if self.promised - {transaction}:
                return Answer.NO
            self.promised.add(transaction)
        elif command is Command.COMMIT:
            assert transaction in self.promised, "committed what was never promised"
            self.promised.discard(transaction)
            self.committed.add(transaction)
            self.commits += 1
        else:
            assert transaction not in self.committed, "aborted what was committed"
            self.promised.discard(transaction)
        if command is not Command.PREPARE:
            self.token = token + 1
        return Answer.YES


class Hand(NamedTuple):
    """A coordinator with a transaction in its hands, between two steps."""

    transaction: int
    record: Record
    """As this one believes it to be."""
    asked: int = 0
    """How many participants it has told in this state."""


class Letter(NamedTuple):
    """A command on its way, once more."""

    place: int
    transaction: int
    command: Command
    token: int


PLACES = 2
INDEX = st.integers(0, 10_000)


class Everything(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.token = 0
        self.next = 0
        self.journal: dict[int, Record] = {}
        self.hands: list[Hand] = []
        self.letters: list[Letter] = []
        self.places = [Place() for _ in range(PLACES)]
        self.outcomes: dict[int, State] = {}

    # A transaction begins as soon as the one before it is final: the journal sees to that.

    @rule()
    def start(self) -> None:
        if any(record.state not in FINAL for record in self.journal.values()):
            return
        self.token += 1
        self.next += 1
        self.journal[self.next] = Record(after(State.BEGUN, Answer.YES), self.token)
        self.hands.append(Hand(self.next, self.journal[self.next]))

    @rule(which=INDEX)
    def take_over(self, which: int) -> None:
        """Another one finds it, with a higher token; the first one may go on, unaware."""
        unfinished = [id for id, record in self.journal.items() if record.state not in FINAL]
        if unfinished:
            self.recover(unfinished[which % len(unfinished)])

    def recover(self, id: int) -> Hand:
        self.token += 1
        hand = Hand(id, self.journal[id])
        self.hands.append(hand)
        taken = Record(found(self.journal[id].state), self.token)
        return self.write(len(self.hands) - 1, taken)  # type: ignore[return-value]

    @rule(which=INDEX)
    def step(self, which: int) -> None:
        """One coordinator does one thing: tells one participant, or writes."""
        if self.hands:
            self.advance(which % len(self.hands))

    @rule(which=INDEX)
    def lose(self, which: int) -> None:
        """One tells a participant, and never hears of it: it does what follows silence."""
        if self.hands:
            self.advance(which % len(self.hands), lost=True)

    @rule(which=INDEX)
    def die(self, which: int) -> None:
        if self.hands:
            del self.hands[which % len(self.hands)]

    @rule(which=INDEX)
    def arrive(self, which: int) -> None:
        """A command arrives that was sent some time ago. Nobody waits for the answer any more."""
        if self.letters:
            letter = self.letters.pop(which % len(self.letters))
            self.places[letter.place].told(letter.transaction, letter.command, letter.token)

    def advance(self, at: int, lost: bool = False) -> Hand | None:
        hand = self.hands[at]
        state = hand.record.state
        if state in FINAL:
            del self.hands[at]
            return None
        command = COMMANDS[state]
        if hand.asked == PLACES:
            return self.write(at, Record(after(state, Answer.YES), hand.record.token))
        place = PLACES - 1 - hand.asked if command is Command.ABORT else hand.asked
        letter = Letter(place, hand.transaction, command, hand.record.token)
        self.letters.append(letter)
        told = self.places[place].told(hand.transaction, command, hand.record.token)
        answer = Answer.SILENCE if lost else told
        if answer is Answer.YES:
            self.hands[at] = hand._replace(asked=hand.asked + 1)
            return self.hands[at]
        return self.write(at, Record(after(state, answer), hand.record.token))

    def write(self, at: int, record: Record) -> Hand | None:
        """Compare and set. Who loses stops."""
        hand = self.hands[at]
        standing = self.journal[hand.transaction]
        if standing.state is not hand.record.state or standing.token > record.token:
            del self.hands[at]
            return None
        self.journal[hand.transaction] = record
        self.hands[at] = Hand(hand.transaction, record)
        return self.hands[at]

    @invariant()
    def one_outcome(self) -> None:
        for id, record in getattr(self, "journal", {}).items():
            side = record.state in YES_SIDE, record.state in NO_SIDE
            if any(side):
                before = self.outcomes.setdefault(id, record.state)
                assert (before in YES_SIDE) == side[0], f"{id} was {before} and is {record.state}"
            for place in self.places:
                assert id not in place.committed or side[0]
                if record.state is State.DONE:
                    assert id in place.committed

    def teardown(self) -> None:
        """Somebody recovers in peace; then the last letters arrive, and it stays so."""
        for id in [id for id, record in self.journal.items() if record.state not in FINAL]:
            hand: Hand | None = self.recover(id)
            while hand is not None:
                hand = self.advance(len(self.hands) - 1)
        while self.letters:
            self.arrive(0)
        self.one_outcome()
        for place in self.places:
            done = {id for id, record in self.journal.items() if record.state is State.DONE}
            assert place.committed == done
            assert place.commits == len(done)
            assert not place.promised, "a promise that nobody will ever take back"
        assert all(record.state in FINAL for record in self.journal.values())


TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
